"""Assignment decides who does the work and by when, and follows it to the handover.

Commands of the structural head: RejectRequest, AssignLead, ReassignLead, ChangeTarget, RemindResponsible. Of the lead: StartWork,
NoteProgress, PauseWork, ResumeWork, CompleteWork. Of both: AddNote.
Publishes RequestRejected, LeadAssigned, LeadReassigned, TargetChanged, ReminderRequested, WorkStarted, WorkProgressed, WorkPaused,
WorkResumed, WorkCompleted and WorkNoteAdded.
Subscribes to all events of intake and verification except ContactChangeRequested and TrackingLinkRequested.
"""
