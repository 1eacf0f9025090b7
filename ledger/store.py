"""The ledger on SQLite or PostgreSQL: one object that answers the whole LedgerPort; ledger.connect opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.cases import CaseBooks
from ledger.changes import ChangeBooks
from ledger.compensation import CompensationBooks
from ledger.documents import DocumentBooks
from ledger.erp_events import ErpEventBooks
from ledger.forms import FormBooks
from ledger.handovers import HandoverBooks
from ledger.holds import HoldBooks
from ledger.inspections import InspectionBooks
from ledger.lineage import LineageBooks
from ledger.lines import LineBooks
from ledger.notifications import NotificationBooks
from ledger.orders import OrderBooks
from ledger.pace import PaceBooks
from ledger.parking import ParkingBooks
from ledger.people import PeopleBooks
from ledger.postings import PostingBooks
from ledger.stops import StopBooks

if TYPE_CHECKING:
    from ledger.database import Database
    from ledger.port import LedgerPort


class SqlLedger(
    LineBooks,
    ParkingBooks,
    OrderBooks,
    PostingBooks,
    FormBooks,
    DocumentBooks,
    CaseBooks,
    ChangeBooks,
    CompensationBooks,
    LineageBooks,
    PaceBooks,
    ErpEventBooks,
    HoldBooks,
    InspectionBooks,
    NotificationBooks,
    PeopleBooks,
    StopBooks,
    HandoverBooks,
):
    """The ledger of one or more plants. Safe for concurrent tasks and for several processes on one database."""


if TYPE_CHECKING:

    def _answers_the_port(database: Database) -> LedgerPort:
        return SqlLedger(database)
