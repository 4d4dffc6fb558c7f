"""Notification emails applicants and staff, and keeps a ledger of messages and their delivery, which is not in the log.

Commands of timers: FireReminder, DropReminders. Of administrators: ResendMessage. Commands of delivery, which change the record
without an event: StartSending, EndSending, RecordInterruption.
Publishes ReminderFellDue, RemindersDropped and ResendRequested.
Subscribes to all events of intake, verification and assignment except NoteAdded, WorkNoteAdded, RequestClaimed, ClaimReleased,
RecommendationWithdrawn and SurveyAnswered, which cause no email.
"""
