"""Assignment: who does the work, by when, and how far is it?

Takes RejectRequest, AssignLead and ReassignLead from the structural head, and StartWork, NoteProgress, PauseWork,
ResumeWork and CompleteWork from the lead; publishes the fact of each. Hears what intake and verification publish, and
takes the work up again by itself when the applicant has answered.
"""
