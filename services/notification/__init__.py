"""Notification emails applicants and staff, and keeps a ledger of messages and outcomes.

Handles StartSending, EndSending, FireReminder and ResendMessage. Publishes SendingStarted, SendingEnded, ReminderFellDue,
RemindersDropped and ResendRequested. Subscribes to all events of intake, verification and assignment.
"""
