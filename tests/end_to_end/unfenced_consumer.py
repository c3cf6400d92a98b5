"""earthquake-consumer that writes whoever owns the partition: to see that a test sees it."""

from quakestream.catalog import postgresql
from quakestream.cli import earthquake_consumer

postgresql._ADVANCE = f"""
UPDATE positions SET next_offset = %s WHERE {postgresql._PLACE} AND (%s::int8, %s::int8) IS NOT NULL
"""  # the same parameters, compared with nothing

earthquake_consumer()
