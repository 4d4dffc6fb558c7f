"""Notification tells applicants and staff by e-mail what happened, and keeps a ledger of what became of each message.

Commands taken: StartSending, EndSending, FireReminder, ResendMessage. Publishes SendingStarted, SendingEnded, ReminderFellDue,
RemindersDropped, ResendRequested. Hears every event of intake, verification and assignment.
"""
