"""Helpers of the end-to-end suite: services, messages, and a bare MLLP client."""
