"""Every variable that a result can hold, by group: its dims, units and name."""

from .components import COMPONENTS
from .filters import FILTERS
from .latents import LATENTS
from .tokens import TOKENS
from .variable import STAGE, Groups, Variable
from .verdicts import VERDICTS

SCHEMA: Groups = {**FILTERS, **COMPONENTS, **TOKENS, **VERDICTS, **LATENTS}

__all__ = ["SCHEMA", "STAGE", "Groups", "Variable"]
