"""How complaints change the state: each is what its newest event (by time, then id) says."""

from services.scoring.projector.state import Case, Item, State, keep_newest

CASE = "case:"


def case_key(complaint_id: str) -> str:
    """Key of the item of a complaint."""
    return f"{CASE}{complaint_id}"


def complain(state: State, complaint_id: str, case: Case) -> State:
    """Take in one event of a complaint."""
    item = state.items.setdefault(case_key(complaint_id), Item())
    before = item.case
    if before is not None and before >= case:
        return state
    item.case = case
    gone = open_entries(before)
    come = open_entries(case)
    state.complaints += before is None
    state.open_complaints += len(come) - len(gone)
    kept = keep_newest(state.complained, come, gone, state.open_complaints)
    state.stale = state.stale or kept is None
    state.complained = state.complained if kept is None else kept
    return state


def open_entries(case: Case | None) -> set[tuple[int, str]]:
    """The entry of a complaint among the open ones, if it is open."""
    return {(case.time, case.event_id)} if case is not None and case.is_open else set()
