"""Everything there is to say about customers, with reasons, evidence and the nearest change.

Made when it is read, from the same state, day and policies that the kept view was made of: what is
kept and announced are classes and what lists are sorted by. Codes and numbers; words come later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from scipy.special import betaincinv

from services.scoring.policies import Margins
from services.scoring.projector.basis import Basis, basis_of
from services.scoring.projector.changes import Change, nearest
from services.scoring.projector.churn import History, Judge
from services.scoring.projector.future import HIGH, LOW, Buyer, Future, foretell
from services.scoring.projector.purchases import local_day
from services.scoring.projector.rfm import MIDDLE, main_currency, score
from services.scoring.projector.satisfaction import fresh, mood
from services.scoring.projector.seen import Seen
from services.scoring.projector.state import State, Verdict
from services.scoring.projector.view import Churn, Matrix, Rfm, View
from services.scoring.screening.explain import Screened, explain
from shared.moments import micros, moment
from shared.projection import Policies


@dataclass(frozen=True, slots=True)
class Fact:
    """A value of the customer's beside the usual one, or beside what must be reached.

    `unit`: `number`, `days`, `percent`, or `money` (minor units of `currency`).
    """

    feature: str
    value: float
    usual: float | None
    unit: str = "number"
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """Money in minor units of `currency`."""

    currency: str
    spend: int
    spend_year: int
    profit: int
    margin: float
    """Profit as a share of the spend."""
    clv: int
    years: int
    discount_rate: float
    future: Future
    model: str
    spend_model: str
    """Which BG/NBD and which Gamma-Gamma foretold it."""
    reasons: list[Fact]


@dataclass(frozen=True, slots=True)
class NextPurchase:
    """Dates are local; of those who come back at all."""

    on: date
    first: date
    last: date
    future: Future
    model: str
    reasons: list[Fact]


@dataclass(frozen=True, slots=True)
class Satisfied:
    """`low` to `high`: where the score lies with a probability of eight in ten."""

    score: float
    low: float
    high: float
    certainty: float
    """Of what the score is made of, the share that is the customer's own; the rest is what is usual."""
    usual: float
    reasons: list[Fact]
    evidence: list[str]
    with_best: float
    """The score after one more answer of the best kind."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The cell of the matrix and what it rests on."""

    matrix: Matrix
    verdict: Verdict | None
    reasons: list[Fact]
    change: Change | None


@dataclass(frozen=True, slots=True)
class Details:
    """All scores of one customer; None where there is nothing to judge."""

    evidence: list[str]
    churn: Churn | None = None
    model: str = ""
    """The churn model that this is judged by; the kept view may be of the one before for a moment."""
    rfm: Rfm | None = None
    rfm_reasons: tuple[Fact, ...] = ()
    rfm_change: Change | None = None
    value: Value | None = None
    next_purchase: NextPurchase | None = None
    satisfaction: Satisfied | None = None
    matrix: Placed | None = None
    prospect: Screened | None = None


def describe(found: Sequence[tuple[State, View]], policies: Policies) -> list[Details]:
    """The details of each, in the order given."""
    basis = basis_of(policies)
    buyers = [_buyer(state, view) for state, view in found]
    futures = iter(
        foretell(
            [buyer for buyer in buyers if buyer is not None],
            basis.churn,
            basis.population,
            basis.scoring.value,
        )
    )
    return [
        _never_bought(state, view, basis)
        if buyer is None
        else _bought(state, view, buyer, next(futures), basis)
        for (state, view), buyer in zip(found, buyers, strict=True)
    ]


def _buyer(state: State, view: View) -> Buyer | None:
    totals, known = view.totals, view.rfm
    if totals is None or known is None:
        return None
    last = totals.last_day - totals.first_day
    history = History(x=totals.days - 1, last=last, age=last + known.recency_days)
    currency = main_currency(state)
    return Buyer(history, currency, state.money[currency].net if currency else 0)


def _never_bought(state: State, view: View, basis: Basis) -> Details:
    today = _today(view.at, 0)
    return Details(
        evidence=_heard(state),
        satisfaction=_satisfied(state, today, basis),
        matrix=None if view.matrix is None else Placed(view.matrix, state.verdict, [], None),
        prospect=None
        if view.origin is None or view.prospect is None
        else explain(state, view.origin, view.prospect, basis.screening, basis.prospects),
    )


def _bought(state: State, view: View, buyer: Buyer, future: Future, basis: Basis) -> Details:
    assert view.totals is not None, "who has bought has totals"
    assert view.rfm is not None, "and an RFM"
    today = view.totals.last_day + view.rfm.recency_days
    bought = [event_id for _, event_id, _ in state.newest]
    evidence = bought + [event_id for _, event_id in state.complained]
    reasons, change = _rfm(view.rfm, view.at, basis)
    return Details(
        evidence=bought,
        churn=_churn(state, today, buyer.history, evidence, basis),
        model=basis.model,
        rfm=view.rfm,
        rfm_reasons=tuple(reasons),
        rfm_change=change,
        value=_value(state, view, buyer, future, basis),
        next_purchase=_next_purchase(buyer.history, today, future, basis),
        satisfaction=_satisfied(state, today, basis),
        matrix=_placed(state, view, today, basis),
    )


def _churn(state: State, today: int, history: History, evidence: list[str], basis: Basis) -> Churn:
    """By the trained model where one is in force; what it has not learnt, by BG/NBD."""
    judge = basis.judge
    if isinstance(judge, Judge):
        return judge.churn(history, evidence, state.open_complaints)
    closed = Judge(basis.churn, basis.scoring)
    return judge.churn(
        Seen.of(state, today), evidence, lambda days: closed.probability(history, days)
    )


def _today(at: datetime | None, utcoffset: int) -> int:
    return local_day(at, utcoffset) if at else 1


def _heard(state: State) -> list[str]:
    answers = [event_id for _, event_id, _ in state.answered]
    return answers + [event_id for _, event_id in [*state.complained, *state.resolved]]


def _value(state: State, view: View, buyer: Buyer, future: Future, basis: Basis) -> Value | None:
    currency = buyer.currency
    if currency is None:
        return None
    wanted, population = basis.scoring.value, basis.population
    gain = profit(state, currency, basis.scoring.margins)
    margin = gain / buyer.monetary if buyer.monetary > 0 else basis.scoring.margins.default
    usual_order = population.order.get(currency) if population else None
    usual_orders = population.orders if population else None
    each = round(buyer.monetary / state.orders) if state.orders else 0
    year = view.matrix.spend_year if view.matrix else None
    return Value(
        currency=currency,
        spend=buyer.monetary,
        spend_year=year or 0,
        profit=gain,
        margin=margin,
        clv=round(future.lifetime * margin),
        years=wanted.years,
        discount_rate=wanted.discount_rate,
        future=future,
        model=basis.purchases,
        spend_model=basis.spend,
        reasons=[
            Fact("order_value", each, usual_order, "money", currency),
            Fact("orders", state.orders, usual_orders),
        ],
    )


def profit(state: State, currency: str, margins: Margins) -> int:
    """Profit to date in minor units: each category's spend at its margin, the rest at the default."""
    named = state.categories.get(currency, {})
    total = state.money[currency].net if currency in state.money else 0
    rest = total - sum(named.values())
    gained = sum(amount * margins.of(category) for category, amount in named.items())
    return round(gained + rest * margins.default)


def _next_purchase(history: History, today: int, future: Future, basis: Basis) -> NextPurchase:
    first, middle, last = (date.fromordinal(today + round(days)) for days in future.next_days)
    usual = basis.churn.usual.gap_days
    gap = round(history.last / history.x, 1) if history.x else None
    own = [] if gap is None else [Fact("gap_days", gap, usual, "days")]
    silence = Fact("silence_days", history.age - history.last, gap or usual, "days")
    return NextPurchase(middle, first, last, future, basis.purchases, [*own, silence])


def _rfm(known: Rfm, at: datetime | None, basis: Basis) -> tuple[list[Fact], Change | None]:
    population, currency = basis.population, known.currency
    reasons = [
        Fact("recency_days", known.recency_days, basis.churn.usual.gap_days, "days"),
        Fact("orders", known.frequency, population.orders if population else None),
    ]
    if currency is not None:
        usual = population.monetary.get(currency) if population else None
        reasons.append(Fact("monetary", known.monetary, usual, "money", currency))
    if basis.cuts is None or known.rfm_class is None or at is None:
        return reasons, None
    order = population.order.get(currency or "", 0) if population else 0
    peers = basis.cuts.monetary.get(currency or "")
    then = basis.scoring.rfm_class(
        score(micros(at), basis.cuts.recency),
        score(known.frequency + 1, basis.cuts.frequency),
        MIDDLE if peers is None else score(known.monetary + order, peers),
    )
    if then == known.rfm_class:
        return reasons, Change("none", then)
    return reasons, Change("purchase", then, days=0, amount=order or None, currency=currency)


def _satisfied(state: State, today: int, basis: Basis) -> Satisfied | None:
    """The interval is that of a beta variable: usual and own answers counted as good and bad."""
    if not state.answers and not state.complaints:
        return None
    found = mood(state, today, basis.scoring.satisfaction, basis.usual_satisfaction)
    one = fresh(today, basis.scoring.satisfaction)
    whole = found.strength + found.weight
    good = max(whole * found.score / 100, 1e-3)
    bad = max(whole - good, 1e-3)
    number = sum(points.number for points in state.answers.values())
    reasons = []
    if number:
        total = sum(points.total for points in state.answers.values())
        mean = round(total / number / 10, 1)
        reasons.append(Fact("answers", mean, basis.usual_satisfaction, "percent"))
    if state.open_complaints:
        reasons.append(Fact("complaints_open", state.open_complaints, 0))
    if state.handled:
        number = sum(points.number for points in state.handled.values())
        total = sum(points.total for points in state.handled.values())
        handling = round(total / number / 10, 1)
        reasons.append(Fact("complaints_handled", handling, basis.usual_satisfaction, "percent"))
    return Satisfied(
        score=found.score,
        low=round(100 * float(betaincinv(good, bad, LOW)), 1),
        high=round(100 * float(betaincinv(good, bad, HIGH)), 1),
        certainty=round(found.weight / whole, 3),
        usual=basis.usual_satisfaction,
        reasons=reasons,
        evidence=_heard(state),
        with_best=found.with_answers(one, one),
    )


def _placed(state: State, view: View, today: int, basis: Basis) -> Placed | None:
    found = view.matrix
    if found is None or found.spend_year is None or found.active_months is None:
        return None
    reasons = [
        Fact("spend_year", found.spend_year, found.spend_from, "money", found.currency),
        Fact("active_months", found.active_months, found.active_from),
    ]
    wanted = basis.thresholds(found.currency)
    if found.overridden:
        change: Change | None = Change("withdrawn", found.found)
    else:
        change = nearest(state, found, wanted, date.fromordinal(today))
    return Placed(found, state.verdict, reasons, change)


def reviewed_at(verdict: Verdict) -> datetime:
    """When somebody decided, UTC."""
    return moment(verdict.at)
