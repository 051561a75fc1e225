"""The built-in catalog: chips, systems, model cards, porting, offers, markets and dated prices.

The data are YAML fragments of a study (``data/catalog``, ``data/offers``: a study includes them as
``builtin:catalog`` and ``builtin:offers``) and two CSV tables of prices that are read only when asked for.
"""
