"""Verification: officers check whether a request is complete.

Commands of officers: ClaimRequest, ReleaseClaim, VerifyRequest, ReturnRequest, RecommendRejection, WithdrawRecommendation, AddNote.
Publishes RequestClaimed, ClaimReleased, RequestVerified, RequestReturned, RejectionRecommended, RecommendationWithdrawn and
NoteAdded.
Subscribes to all events of intake and assignment except ContactChangeRequested, TrackingLinkRequested, SurveyAnswered and
ReminderRequested.
"""
