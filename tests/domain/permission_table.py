"""Who may do what, written by hand from the requirements; never generated from the code that it judges.

Sources: design section 7 (roles), needs 10, 11, 29, 30, 31, 34, 40, 41, issue texts of holds and of downtime, 21 CFR 11.10 (d)
and (g), and these sentences:

- Everybody sees the floor: board, lines, orders, holds, stops, and who owns which flow (needs 36, 39).
- Prices and costs are for those who answer for them; the shop floor and IT do not see them (need 41).
- The audit trail is for the auditor, for who signs for quality, and for the administrator (need 34).
- ERP troubles go to owner roles and up their ladder, never to an operator; an auditor only looks (needs 10, 11).
- Orders are run by supervisor and planner; operators say what they work on. Finance may let postings out, or take an order back.
- Held material is disposed of by supervisors (need 29) and quality; repair, return and withdrawal are quality's alone, because
  conformity, or the hold's very reason, is given up. The second signature may come from another function: planner, finance.
- An administrator manages users and unblocks processes. He signs for no material: who grants the rights must not use them.
- Stops are worked at the line; planning and administration can only stop the ladder by acknowledging.
- Services read, report results and ask for holds; decisions and signatures are by people (21 CFR 11.100, 11.200).
"""

# ruff: noqa: E501  (a table is read by its rows)

COLUMNS = (
    "operator", "supervisor", "quality engineer", "quality manager", "maintenance",
    "planner", "finance", "integration ops", "auditor", "admin",
)  # fmt: skip

MATRIX = """
                                        op su qe qm ma pl fi in au ad   service
see the line board                       x  x  x  x  x  x  x  x  x  x   yes
see orders                               x  x  x  x  x  x  x  x  x  x   yes
see lines                                x  x  x  x  x  x  x  x  x  x   yes
see holds                                x  x  x  x  x  x  x  x  x  x   yes
see exceptions and parked items          .  x  x  x  x  x  x  x  x  x   yes
see stops                                x  x  x  x  x  x  x  x  x  x   yes
see the catalogue of flows               x  x  x  x  x  x  x  x  x  x   yes
see the audit trail                      .  .  .  x  .  .  .  .  x  x   yes
see prices and costs                     .  x  .  x  .  x  x  .  x  x   yes
see users                                .  .  .  .  .  .  .  .  x  x   yes
start an order                           .  x  .  .  .  x  .  .  .  x   no
assign an order to a station             x  x  .  .  .  x  .  .  .  x   no
complete an order                        .  x  .  .  .  x  .  .  .  x   no
cancel an order                          .  x  .  .  .  x  .  .  .  x   no
declare an order void                    .  x  .  .  .  x  x  .  .  x   no
approve postings                         .  x  .  .  .  x  x  .  .  x   no
retry a posting                          .  x  x  x  x  x  x  x  .  x   no
amend a posting                          .  x  x  x  x  x  x  x  .  x   no
skip a posting                           .  x  x  x  x  x  x  x  .  x   no
compensate a posting                     .  x  x  x  x  x  x  x  .  x   no
adopt a document                         .  x  x  x  x  x  x  x  .  x   no
accept a case                            .  x  x  x  x  x  x  x  .  x   no
let a hand entry stand                   .  x  x  x  x  x  x  x  .  x   no
reverse a hand entry                     .  x  x  x  x  x  x  x  .  x   no
decide parked items                      .  x  x  .  .  x  .  .  .  x   no
open a hold                              x  x  x  x  x  x  .  .  .  .   yes
claim a hold                             .  x  x  x  .  .  .  .  .  .   no
reassign a hold                          .  x  x  x  .  .  .  .  .  x   no
comment a hold                           x  x  x  x  x  x  x  .  .  x   no
confirm segregated material              x  x  x  x  .  .  .  .  .  .   no
release held material                    .  x  x  x  .  .  .  .  .  .   no
send held material to rework             .  x  x  x  .  .  .  .  .  .   no
have held material repaired              .  .  x  x  .  .  .  .  .  .   no
scrap held material                      .  x  x  x  .  .  .  .  .  .   no
return held material                     .  .  x  x  .  .  .  .  .  .   no
co-sign a decision on a hold             .  x  x  x  .  x  x  .  .  .   no
withdraw a hold                          .  .  x  x  .  .  .  .  .  .   no
record an inspection                     x  x  x  x  .  .  .  .  .  .   yes
acknowledge a stop                       x  x  .  .  x  x  .  .  .  x   no
classify a stop                          x  x  .  .  x  .  .  .  .  .   no
split a stop                             .  x  .  .  x  .  .  .  .  .   no
re-code a stop                           .  x  .  .  x  .  .  .  .  .   no
shelve a stop                            .  x  .  .  x  .  .  .  .  .   no
join stops                               .  x  .  .  x  .  .  .  .  .   no
close a stop                             .  x  .  .  x  .  .  .  .  .   no
approve a capacity change                .  x  .  .  .  x  .  .  .  .   no
approve a reallocation                   .  .  .  .  .  x  .  .  .  .   no
acknowledge a shift handover             .  x  .  .  .  .  .  .  .  .   no
manage users                             .  .  .  .  .  .  .  .  .  x   no
manage API tokens                        .  .  .  .  .  .  .  x  .  x   no
export the audit trail                   .  .  .  x  .  .  .  .  x  x   no
"""


def _read() -> tuple[dict[tuple[str, str], bool], dict[str, bool]]:
    """(role, action) -> may, and action -> a service may."""
    people: dict[tuple[str, str], bool] = {}
    services: dict[str, bool] = {}
    for row in MATRIX.strip("\n").splitlines()[1:]:
        *marks, service = row[40:].split()
        action = row[:40].strip()
        assert len(marks) == len(COLUMNS) and {*marks} <= {"x", "."} and service in ("yes", "no"), row
        people.update({(role, action): mark == "x" for role, mark in zip(COLUMNS, marks, strict=True)})
        services[action] = service == "yes"
    return people, services


MAY, SERVICE_MAY = _read()
ACTIONS = tuple(SERVICE_MAY)
VIEWS = tuple(action for action in ACTIONS if action.startswith("see "))
