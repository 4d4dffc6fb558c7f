"""Verification: officers check whether a request is complete.

Commands of officers: VerifyRequest, ReturnRequest, RecommendRejection.
Publishes RequestVerified, RequestReturned and RejectionRecommended.
Subscribes to the events of intake and assignment that change a request; see `events.py`.
"""
