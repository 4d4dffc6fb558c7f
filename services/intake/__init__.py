"""Intake: the applicant's side of a request, from the form to the survey.

Commands of applicants: SubmitRequest, ResubmitRequest, WithdrawRequest, AnswerQuestion, ConfirmHandover, ContestHandover,
AnswerSurvey, MailLink. Commands of its timers: ExpireRequest, ConfirmBySilence.
Publishes RequestSubmitted, RequestResubmitted, RequestExpired, RequestWithdrawn, ApplicantAnswered, HandoverConfirmed,
HandoverContested, SurveyAnswered and TrackingLinkRequested.
Subscribes to the events of verification and assignment that an applicant may see; see `events.py`.
"""
