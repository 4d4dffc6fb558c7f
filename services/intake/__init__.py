"""Intake: the applicant's side of a request, from the form to the survey.

Takes SubmitRequest, ResubmitRequest, WithdrawRequest, AnswerQuestion, ConfirmHandover, ContestHandover, AnswerSurvey and
MailLink from applicants, ExpireRequest and ConfirmBySilence from its own timers. Publishes RequestSubmitted,
RequestResubmitted, RequestExpired, RequestWithdrawn, ApplicantAnswered, HandoverConfirmed, HandoverContested,
SurveyAnswered and TrackingLinkRequested. Hears of verification and assignment what an applicant may know: returns,
verification, rejection, the lead, the work and its results.
"""
