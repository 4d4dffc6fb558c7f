"""Assignment decides who does the work and by when, and follows it to the handover.

Handles RejectRequest, AssignLead and ReassignLead of the structural head, and StartWork, NoteProgress, PauseWork, ResumeWork and
CompleteWork of the lead. Publishes the event of each. Subscribes to the events of intake and verification, and resumes the work
when the applicant has answered.
"""
