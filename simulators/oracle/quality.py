"""What quality records fill in and refuse: issues, actions, inspection events with their dispositions."""

from typing import Any

from simulators.oracle.books import Books
from simulators.oracle.errors import BAD_REQUEST, Refusal

DISPOSITIONS = ("ACCEPT", "REJECT", "COMPLETE", "PENDING")


def require_organization(books: Books, code: Any) -> None:
    if books.one("SELECT 1 FROM organization WHERE OrganizationCode = ?", code) is None:
        raise Refusal(BAD_REQUEST, f"The organization {code} is not valid", path="/OrganizationCode")


def complete_issue(books: Books, values: dict[str, Any]) -> None:
    require_organization(books, values["OrganizationCode"])
    values.setdefault("StatusTypeCode", "OPEN")
    if (values.get("Downtime") or 0) < 0:
        raise Refusal(BAD_REQUEST, "Downtime cannot be negative", path="/Downtime")


def complete_action(books: Books, values: dict[str, Any]) -> None:
    values.setdefault("StatusTypeCode", "OPEN")
    change_action(books, {}, values)


def change_action(books: Books, row: dict[str, Any], changes: dict[str, Any]) -> None:
    """An action may belong to an issue, by id or by number; the other one follows."""
    for name, other in (("IssueId", "IssueNumber"), ("IssueNumber", "IssueId")):
        if changes.get(name) is not None:
            issue = books.one(f"SELECT * FROM quality_issue WHERE {name} = ?", changes[name])
            if issue is None or changes.get(other) not in (None, issue[other]):
                raise Refusal(BAD_REQUEST, f"The issue {changes[name]} is not valid", path=f"/{name}")
            changes[other] = issue[other]


def complete_inspection(books: Books, values: dict[str, Any]) -> None:
    require_organization(books, values["OrganizationCode"])
    values.setdefault("EventDisposition", "PENDING")
    change_inspection(books, {}, values)


def change_inspection(books: Books, row: dict[str, Any], changes: dict[str, Any]) -> None:
    """A decided event is decided anew by another decision, not by going back to PENDING."""
    wanted = changes.get("EventDisposition")
    if wanted is None:
        return
    if wanted not in DISPOSITIONS:
        text = f"The disposition {wanted} is not valid; valid are {', '.join(DISPOSITIONS)}"
        raise Refusal(BAD_REQUEST, text, path="/EventDisposition")
    if wanted == "PENDING" and row.get("EventDisposition") not in (None, "PENDING"):
        raise Refusal(BAD_REQUEST, "A decided inspection event cannot be pending again", path="/EventDisposition")
