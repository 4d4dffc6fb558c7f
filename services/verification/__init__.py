"""Verification: is a request complete?

Takes VerifyRequest, ReturnRequest and RecommendRejection from officers; publishes RequestVerified, RequestReturned and
RejectionRecommended; hears from intake what the applicant sent and did, and from assignment how the request goes on.
"""
