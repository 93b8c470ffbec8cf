"""The journals of scoring: what was bought line by line, and what complaints are about."""

from services.scoring.baskets import rows
from services.scoring.tables import basket, grievance
from shared.service import Journal

BASKETS = Journal(table=basket, columns=rows.COLUMNS, row=rows.row)
GRIEVANCES = Journal(table=grievance, columns=rows.GRIEVANCE_COLUMNS, row=rows.grievance_row)
