"""Intake: the applicant's side of a request, from the form to the survey.

Commands of applicants: SubmitRequest, CorrectRequest, ResubmitRequest, WithdrawRequest, AnswerQuestion, ConfirmHandover,
ContestHandover, AnswerSurvey, ChangeContact, ConfirmContact, MailLink. Of timers: ExpireRequest, ConfirmBySilence.
Publishes RequestSubmitted, RequestCorrected, RequestResubmitted, RequestExpired, RequestWithdrawn, ApplicantAnswered,
HandoverConfirmed, HandoverContested, SurveyAnswered, ContactChangeRequested, ContactChanged and TrackingLinkRequested.
Subscribes to all events of verification and assignment except NoteAdded, WorkNoteAdded, RejectionRecommended,
RecommendationWithdrawn and ReminderRequested, of which applicants are not to know.
"""
