"""Hold rules on a station's events: limits, checks in a row, defect rates, alarms (plant file, `[[quality.rule]]`).

Pure and in event time: called for every event as the watermark passes it, so a backlog gives the same triggers as
live data, with the same ids. No data is no deviation: a bad reading speaks neither for nor against the material, an
uncertain one only against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase

from domain.context import StationContext
from domain.hold_state import BadCheck, CheckSeen, Deviation, RuleState, Span
from domain.line_parking import StationEvent
from domain.plant import CounterRole
from domain.plant_quality import HoldRule, QualityConfig
from domain.reporting import close_station_order
from signals.events import AlarmEvent, MachineEvent, MeasurementEvent, Quality
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger, Measurement
from signals.ids import short_hash, time_text

INSTANT = timedelta(microseconds=1)
"""The smallest step of time: right after a good check is this much later."""

GROWTH = timedelta(minutes=5)
"""A deviation that goes on is told again after so much event time."""

RECENT = 20
EVIDENCE = 60
LATEST = 6
MOST_SPANS = 20
MOST_SERIALS = 200
MOST_ALARMS = 50


def judge(at_station: StationEvent) -> None:
    """Look at a measurement or an alarm."""
    event = at_station.event
    if isinstance(event, MeasurementEvent):
        for watch in _watches(at_station):
            if watch.rule.tag == event.tag:
                watch.measured(event)
    elif isinstance(event, AlarmEvent):
        for watch in _watches(at_station):
            if watch.rule.alarms:
                watch.alarmed(event)


def count(at_station: StationEvent, good: Decimal, rejected: Decimal, serial: str = "") -> None:
    """Pieces left the station: how much is in a scope, and how many of them are bad."""
    for watch in _watches(at_station):
        watch.counted(good, rejected, serial)


def change(at_station: StationEvent, new: StationContext) -> None:
    """The station goes on with another order, operation or batch: what was made until now is a scope of its own."""
    for watch in _watches(at_station):
        watch.changed(new)


def in_spec(rule: HoldRule, event: MeasurementEvent) -> bool | None:
    """Whether the value is in the rule's limits, or one of its words; None where it says nothing."""
    if event.quality is Quality.BAD or not event.value:
        return None
    if rule.accepted:
        passed = event.value in rule.accepted
    else:
        try:
            value = Decimal(event.value)
        except InvalidOperation:
            return None
        if not value.is_finite():
            return None
        low = rule.lower is not None and value < rule.lower
        high = rule.upper is not None and value > rule.upper
        passed = not low and not high
    return None if passed and event.quality is Quality.UNCERTAIN else passed


def speaks_against(quality: QualityConfig, line: str, event: MachineEvent) -> bool:
    """Whether a rule may hold material because of this event: such news is brought at once."""
    rules = quality.rules_of(line, event.equipment)
    if isinstance(event, MeasurementEvent):
        return any(r.tag == event.tag and in_spec(r, event) is False for r in rules)
    return isinstance(event, AlarmEvent) and event.active and any(_is_of_class(r, event.code) for r in rules)


def _is_of_class(rule: HoldRule, code: str) -> bool:
    return any(fnmatchcase(code, pattern) for pattern in rule.alarms)


def _watches(at_station: StationEvent) -> Iterator[_Watch]:
    for rule in at_station.plant.quality.rules_of(at_station.line.id, at_station.config.id):
        yield _Watch(at_station, rule)


class _Watch:
    """One rule at its station, for the length of one event."""

    def __init__(self, at_station: StationEvent, rule: HoldRule) -> None:
        self.rule = rule
        self._station = at_station
        self._context = at_station.station.context
        self._event_id = at_station.event.event_id
        self._at = at_station.event.at
        states = at_station.station.holds
        seen = states.get(rule.id)
        if seen is None or seen.rule != rule.name:
            # Other limits judge anew; what was told under the old ones still ends by the first good check.
            known = seen or RuleState()
            seen = RuleState(rule=rule.name, open=known.open, spans=known.spans, spanned=known.spanned)
            states[rule.id] = seen
        self._seen = seen
        if not seen.spans:
            self._begin(None, self._context)

    # --- what comes --------------------------------------------------------------------------------------
    def measured(self, event: MeasurementEvent) -> None:
        passed = in_spec(self.rule, event)
        if passed is None or not self._context.order:
            return
        self._check(event.value, passed=passed)

    def counted(self, good: Decimal, rejected: Decimal, serial: str) -> None:
        span = self._seen.spans[-1]
        of_the_good_one = span.since is not None and self._at < span.since
        if not of_the_good_one:
            span.pieces += good
            if serial and len(span.serials) <= MOST_SERIALS:
                span.serials.append(serial)
        if self.rule.defect_rate_percent is not None and not self.rule.tag and self._context.order:
            for _ in range(min(int(good), self.rule.window_pieces or 0)):
                self._check("good", passed=True)
            for _ in range(min(int(rejected), self.rule.window_pieces or 0)):
                self._check("rejected", passed=False)
        if self._seen.alarms and self._seen.open is None and self._context.order:
            code = self._seen.alarms[-1].partition(":")[2]
            self._open(HoldCause.ALARM, f"alarm {code} stands")
        self._tell_growth()

    def alarmed(self, event: AlarmEvent) -> None:
        if event.quality is Quality.BAD:
            return
        name, standing = f"{event.tag}:{event.code}", self._seen.alarms
        if event.active:
            if name in standing or not _is_of_class(self.rule, event.code):
                return
            self._seen.alarms = [*standing, name][-MOST_ALARMS:]
            self._remember(event.code, passed=False)
            if self._seen.open is None and self._context.order:
                self._restart(self._at)
                self._open(HoldCause.ALARM, f"alarm {event.code} {event.text}".strip())
            return
        all_clear = event.code == event.tag
        left = [a for a in standing if a != name and not (all_clear and a.startswith(f"{event.tag}:"))]
        self._seen.alarms = left
        if standing and not left:
            self._remember(event.code, passed=True)
            self._end()

    def changed(self, new: StationContext) -> None:
        old, seen = self._context, self._seen
        same = (old.order, old.operation_at(self._station.config), old.batch)
        if same == (new.order, new.operation_at(self._station.config), new.batch):
            return
        deviated = seen.open is not None
        if deviated:
            self._close(self._at)
            seen.run, seen.bad = 0, []
        seen.spans[-1].until = self._at
        seen.spans = [] if deviated else [s for s in seen.spans if s.is_of_use][1 - MOST_SPANS :]
        self._begin(self._at, new)
        self._context = new

    # --- checks ------------------------------------------------------------------------------------------
    def _check(self, value: str, *, passed: bool) -> None:
        seen = self._seen
        self._remember(value, passed=passed)
        before, seen.last_at = seen.last_at, self._at
        seen.checks += 1
        if not passed:
            seen.run += 1
            span = seen.spans[-1]
            if self.rule.defect_rate_percent is not None:
                since = before + INSTANT if before is not None else None
                seen.bad.append(BadCheck(number=seen.checks, since=since, pieces=span.pieces, span=span.number))
            span.bad += 1
        if self.rule.defect_rate_percent is not None:
            self._rate(value)
        elif passed:
            seen.run = 0
            self._end()
        elif seen.open is None and seen.run >= self.rule.consecutive:
            self._open(self._cause_of_run(), self._text_of_run(value))
        else:
            self._tell_growth()

    def _rate(self, value: str) -> None:
        seen, window = self._seen, self.rule.window_pieces or 1
        seen.bad = [b for b in seen.bad if b.number > seen.checks - window]
        limit = (self.rule.defect_rate_percent or Decimal(0)) * window / 100
        if len(seen.bad) <= limit:
            if seen.open is not None:
                self._end()
            elif not seen.bad:
                self._restart(self._at + INSTANT)
            return
        if seen.open is not None:
            self._tell_growth()
            return
        self._cut_spans(seen.bad[0])
        what = f"checks of {self.rule.measures}" if self.rule.tag else "pieces"
        share = f"more than {self.rule.defect_rate_percent} %"
        text = f"{len(seen.bad)} of the latest {window} {what} were bad, {share}; the latest: {value}"
        self._open(HoldCause.DEFECT_RATE, text)

    def _cut_spans(self, first: BadCheck) -> None:
        """A defect rate's scope begins right after the check before the first bad one of the window."""
        seen = self._seen
        seen.spans = [s for s in seen.spans if s.number >= first.span] or seen.spans[-1:]
        begin = seen.spans[0]
        if begin.number == first.span and first.since is not None:
            begin.since = max(begin.since, first.since) if begin.since is not None else first.since
            begin.pieces = max(begin.pieces - first.pieces, Decimal(0))
            begin.serials = []

    # --- deviations --------------------------------------------------------------------------------------
    def _open(self, cause: HoldCause, text: str) -> None:
        seen, rule = self._seen, self.rule
        self._cut_reports()
        seen.open = Deviation(
            reason=short_hash(self._plant, self._line, self._place, rule.name, self._event_id),
            cause=cause,
            text=f"{rule.reason}: {text}" if rule.reason else text,
            found_at=self._at,
            told_at=self._at,
            checks=list(seen.recent),
        )
        for span in seen.spans:
            if span.order and (span.is_of_use or span is seen.spans[-1]):
                self._tell(span)

    def _end(self) -> None:
        """A good check, or no alarm any more: nothing made from now on is held."""
        if self._seen.open is not None:
            self._cut_reports()
            self._close(self._at - INSTANT)
            self._seen.bad = []
        self._restart(self._at + INSTANT)

    def _cut_reports(self) -> None:
        """No report mixes what is held with what is not, as far as checks tell them apart: receipts go as a whole."""
        close_station_order(self._station.state, self._place, self._context.order)

    def _close(self, until: datetime) -> None:
        span = self._seen.spans[-1]
        span.until = max(until, span.since) if span.since is not None else until
        if span.trigger:
            self._tell(span, news=True)
        self._seen.open = None

    def _tell_growth(self) -> None:
        """Told now and then, so that a hold that was decided too early is opened again."""
        deviation, span = self._seen.open, self._seen.spans[-1]
        if deviation is not None and span.trigger and self._at >= deviation.told_at + GROWTH:
            deviation.told_at = self._at
            self._tell(span, news=True)

    def _tell(self, span: Span, *, news: bool = False) -> None:
        deviation = self._seen.open
        assert deviation is not None
        if not news:
            since = time_text(span.since) if span.since is not None else ""
            span.trigger = short_hash(deviation.reason, span.order, span.operation, span.batch, since, length=20)
        trigger = HoldTrigger(
            trigger=short_hash(span.trigger, self._event_id, length=20) if news else span.trigger,
            continues=span.trigger if news else "",
            scope=self._scope(span),
            reason=self._reason(deviation),
            quantity=max(span.pieces, Decimal(span.bad)),
            unit=self._unit(),
            at=self._at,
        )
        self._station.state.new_holds.append(trigger)
        self._station.state.hold_outbox.append(trigger)

    def _scope(self, span: Span) -> HoldScope:
        # Serial numbers only where the scope grows no more and every piece of it has one.
        named = span.until is not None and 0 < len(span.serials) <= MOST_SERIALS and len(span.serials) == span.pieces
        return HoldScope(
            plant=self._plant,
            line=self._line,
            station=self._place,
            order=span.order,
            operation=span.operation,
            batch=span.batch,
            serials=tuple(span.serials) if named else (),
            since=span.since,
            until=span.until,
        )

    def _reason(self, deviation: Deviation) -> HoldReason:
        rule = self.rule
        return HoldReason(
            reason=deviation.reason,
            cause=deviation.cause,
            rule=rule.name,
            text=deviation.text,
            characteristic=rule.measures,
            release_role=rule.release_role,
            severity=rule.severity,
            found_at=deviation.found_at,
            evidence=tuple(self._measurement(check) for check in deviation.checks),
        )

    # --- small things ------------------------------------------------------------------------------------
    @property
    def _plant(self) -> str:
        return self._station.state.plant

    @property
    def _line(self) -> str:
        return self._station.state.line

    @property
    def _place(self) -> str:
        return self._station.config.id

    def _begin(self, since: datetime | None, context: StationContext) -> None:
        seen = self._seen
        seen.spanned += 1
        operation = context.operation_at(self._station.config)
        new = Span(number=seen.spanned, order=context.order, operation=operation, batch=context.batch, since=since)
        seen.spans.append(new)

    def _restart(self, since: datetime) -> None:
        self._seen.spans = []
        self._begin(since, self._context)

    def _remember(self, value: str, *, passed: bool) -> None:
        check: CheckSeen = (self._at, value, passed, self._event_id, self._context.serial)
        self._seen.recent = [*self._seen.recent, check][-RECENT:]
        if self._seen.open is not None:
            checks = self._seen.open.checks
            checks.append(check)
            if len(checks) > EVIDENCE:
                del checks[EVIDENCE - LATEST]

    def _measurement(self, check: CheckSeen) -> Measurement:
        at, value, passed, event_id, serial = check
        return Measurement(
            at=at,
            value=value,
            lower=_text(self.rule.lower),
            upper=_text(self.rule.upper),
            unit=self._measured_in(),
            passed=passed,
            event_id=event_id,
            serial=serial,
        )

    def _cause_of_run(self) -> HoldCause:
        if self.rule.consecutive > 1:
            return HoldCause.CONSECUTIVE
        return HoldCause.INSPECTION if self.rule.accepted else HoldCause.LIMIT

    def _text_of_run(self, value: str) -> str:
        rule = self.rule
        shown = f"{rule.measures} {value} {self._measured_in()}".strip()
        if rule.accepted:
            text = f"{shown} is not {' or '.join(rule.accepted)}"
        elif rule.upper is not None and Decimal(value) > rule.upper:
            text = f"{shown} is above {rule.upper}"
        else:
            text = f"{shown} is below {rule.lower}"
        return (
            text if rule.consecutive == 1 else f"{self._seen.run} checks in a row are out of spec, the latest: {text}"
        )

    def _measured_in(self) -> str:
        return next((t.unit for t in self._station.config.tags if t.name == self.rule.tag), "") if self.rule.tag else ""

    def _unit(self) -> str:
        counters = [t.counter for t in self._station.config.tags if t.counter is not None]
        return next((c.unit for c in counters if c.role is CounterRole.GOOD), "PC")


def _text(limit: Decimal | None) -> str:
    return "" if limit is None else str(limit)
