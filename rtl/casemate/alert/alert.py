"""Decides what a failure locks, which alerts it raises, and what the log says of it."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.enum import EnumView
from amaranth.lib.wiring import In, Out

from ..config import LINE_BYTES, EngineConfig
from ..engine.reports import ReportKind, report_layout
from ..metadata.interface import Failure, failure_layout
from .layouts import LogKind, Policy, log_layout, strictest

__all__ = ["Alert"]

_LOG_DEPTH = 4


class Alert(wiring.Component):
    """Takes failures, at most one of each source in a cycle; locks and alerts last until reset.

    ===========================  =========================================  ===================
    what fails                   lock                                       alert
    ===========================  =========================================  ===================
    access                       nothing                                    none
    tag of a line                the engine, the domain's slot or nothing,  ``alert_integrity``
                                 by policy
    MAC of a leaf or node        the engine; nothing if the policy is       ``alert_integrity``
                                 to report only
    DRAM, for a leaf or node     nothing                                    none
    version or counter used up   nothing; the write is refused              ``alert_fatal``
    any of them with ``fatal``   the engine, whatever the policy            ``alert_fatal`` too
    keys, or the case            the engine, whatever the policy            ``alert_fatal``
    ===========================  =========================================  ===================

    Locks, alerts and events follow a failure by one cycle, its log entry by three or more. The log
    takes one entry per cycle; each source may be four ahead, more are lost to the log alone.

    Members
    -------
    policy: In(Policy)
        Of the engine: what a failure locks at least.
    policies: In(ArrayLayout(Policy, domain_slots)), resident: In(domain_slots)
        With a key manager: of the domain in each slot, if it is ``resident``. A line's failure
        counts under the stricter of the two; a leaf's or node's, which concerns every domain,
        locks the engine unless all of them only report.
    report: In(stream.Signature(report_layout(config)))
        From the data path; always accepted.
    failure: In(stream.Signature(failure_layout(config)))
        From the keeper of the metadata; always accepted.
    keys_lost: In(1)
        With a key manager: a pulse, all keys are being erased.
    lock: Out(domain_slots), lock_all: Out(1)
        One bit for each slot; all of them with ``lock_all``.
    alert_integrity: Out(1), alert_fatal: Out(1)
        Levels, until reset.
    access_error, integrity_error, bus_error, fatal_error: Out(1)
        Pulses.
    log: Out(stream.Signature(log_layout(config)))
    log_lost: Out(1)
        Pulse: an entry is missing from ``log``.
    """

    report: stream.Interface
    failure: stream.Interface
    log: stream.Interface

    def __init__(self, config: EngineConfig):
        self._config = config
        super().__init__({
            "policy": In(Policy),
            "report": In(stream.Signature(report_layout(config))),
            "failure": In(stream.Signature(failure_layout(config))),
            "lock": Out(config.domain_slots), "lock_all": Out(1),
            "alert_integrity": Out(1), "alert_fatal": Out(1),
            "access_error": Out(1), "integrity_error": Out(1), "bus_error": Out(1),
            "fatal_error": Out(1),
            "log": Out(stream.Signature(log_layout(config))), "log_lost": Out(1),
            **({} if config.keys is None else {
                "keys_lost": In(1), "resident": In(config.domain_slots),
                "policies": In(data.ArrayLayout(Policy, config.domain_slots))}),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        report, failure = self.report, self.failure
        bad_line = Signal()
        bad_node = Signal()
        fatal = Signal()
        exhausted = Signal()
        report_only = Signal()
        of_line, of_all = self._policies(m)
        line_only = report_only if of_line is of_all else of_line == Policy.REPORT_ONLY
        m.d.comb += [
            report.ready.eq(1), failure.ready.eq(1),
            bad_line.eq(report.valid & (report.payload.kind == ReportKind.LINE)),
            bad_node.eq(failure.valid & (failure.payload.failure == Failure.MAC)),
            fatal.eq(failure.valid & failure.payload.fatal if self._config.keys is None else
                     failure.valid & failure.payload.fatal | self.keys_lost),
            exhausted.eq((report.valid & (report.payload.kind == ReportKind.EXHAUSTED))
                         | (failure.valid & (failure.payload.failure == Failure.EXHAUSTED))),
            report_only.eq(of_all == Policy.REPORT_ONLY),
        ]
        m.d.sync += [
            self.access_error.eq(report.valid & (report.payload.kind == ReportKind.ACCESS)),
            self.integrity_error.eq(bad_line | bad_node),
            self.bus_error.eq(failure.valid & (failure.payload.failure == Failure.BUS_ERROR)),
            self.fatal_error.eq(fatal | exhausted),
        ]
        with m.If(bad_line | bad_node):
            m.d.sync += self.alert_integrity.eq(1)
        with m.If(fatal | exhausted):
            m.d.sync += self.alert_fatal.eq(1)

        # An unknown policy counts as the strictest.
        with m.If(bad_line & (of_line == Policy.LOCK_DOMAIN)):
            m.d.sync += self.lock.bit_select(report.payload.slot, 1).eq(1)
        with m.If(fatal | (bad_node & ~report_only)
                  | (bad_line & ~line_only & (of_line != Policy.LOCK_DOMAIN))):
            m.d.sync += [self.lock_all.eq(1), self.lock.eq(~0)]
        self._fill_log(m)
        return m

    def _policies(self, m: Module) -> "tuple[EnumView[Policy], EnumView[Policy]]":
        """Return the policies under which the line that is reported counts, and a leaf or node."""
        if self._config.keys is None:
            return self.policy, self.policy
        of_line, of_all = Signal(Policy), Signal(Policy)
        strict = Signal()
        m.d.comb += [
            of_line.eq(strictest(self.policy, self.policies[self.report.payload.slot])),
            strict.eq(Cat(
                self.resident[slot] & (self.policies[slot] != Policy.REPORT_ONLY)
                for slot in range(self._config.domain_slots)).any()),
            of_all.eq(Mux(strict, Policy.LOCK_ENGINE, self.policy)),
        ]
        return of_line, of_all

    def _fill_log(self, m: Module) -> None:
        layout = log_layout(self._config)
        report, failure = self.report.payload, self.failure.payload
        entries = {"reports": Signal(layout), "failures": Signal(layout)}
        of_report, of_failure = entries["reports"], entries["failures"]
        m.d.comb += [
            of_report.slot.eq(report.slot), of_report.domain.eq(report.domain),
            of_report.write.eq(report.write),
            of_report.address.eq(self._config.data_base + report.line * LINE_BYTES),
            of_failure.level.eq(failure.level), of_failure.address.eq(failure.address),
        ]
        with m.Switch(report.kind):
            for kind, logged in ((ReportKind.ACCESS, LogKind.ACCESS),
                                 (ReportKind.LINE, LogKind.LINE),
                                 (ReportKind.EXHAUSTED, LogKind.VERSION)):
                with m.Case(kind):
                    m.d.comb += of_report.kind.eq(logged)
        with m.Switch(failure.failure):
            for kind, logged in ((Failure.MAC, LogKind.NODE), (Failure.BUS_ERROR, LogKind.BUS),
                                 (Failure.EXHAUSTED, LogKind.COUNTER)):
                with m.Case(kind):
                    m.d.comb += of_failure.kind.eq(logged)
        queues = {}
        lost = Signal()
        for name, source in (("reports", self.report), ("failures", self.failure)):
            queue = queues[name] = fifo.SyncFIFOBuffered(width=layout.size, depth=_LOG_DEPTH)
            m.submodules[name] = queue
            m.d.comb += [queue.w_data.eq(entries[name].as_value()), queue.w_en.eq(source.valid)]
            with m.If(source.valid & ~queue.w_rdy):
                m.d.comb += lost.eq(1)
        m.d.sync += self.log_lost.eq(lost)
        # What is on offer stays until it is taken.
        chosen = Signal()
        first, second = queues["reports"], queues["failures"]
        with m.If(~self.log.valid | self.log.ready):
            m.d.sync += self.log.valid.eq(first.r_rdy | second.r_rdy)
            m.d.comb += [chosen.eq(~second.r_rdy), first.r_en.eq(chosen), second.r_en.eq(~chosen)]
            with m.If(chosen):
                m.d.sync += self.log.payload.eq(first.r_data)
            with m.Else():
                m.d.sync += self.log.payload.eq(second.r_data)
