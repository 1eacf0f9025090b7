"""OData V4 JSON."""

from simulators.sap.messages import Refusal
from simulators.sap.odata import Answer


def error_answer_v4(refusal: Refusal) -> Answer:
    body = {"error": {"code": refusal.code, "message": refusal.message, "details": []}}
    return Answer(refusal.status, body, {"odata-version": "4.0"} | refusal.headers)
