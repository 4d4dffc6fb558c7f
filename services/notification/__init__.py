"""Notification emails applicants and staff, and keeps a ledger of messages and their delivery, which is not in the log.

Handles FireReminder, DropReminders and ResendMessage, and the delivery commands StartSending, EndSending and RecordInterruption.
Publishes ReminderFellDue, RemindersDropped and ResendRequested. Subscribes to all events of intake, verification and assignment.
"""
