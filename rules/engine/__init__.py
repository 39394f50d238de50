"""The rulebook's engine: reads the rule files, compiles them, judges records. Pure: no clock, no network."""
