"""earthquake-consumer that writes whoever owns the partition: to see that a test sees it."""

from quakestream.catalog import postgresql
from quakestream.consumer.command import main

FENCE = "AND owner_epoch = %s AND next_offset IS NOT DISTINCT FROM %s::int8"
assert FENCE in postgresql._ADVANCE
postgresql._ADVANCE = postgresql._ADVANCE.replace(FENCE, "AND (TRUE OR owner_epoch = %s OR next_offset = %s::int8)")

main()
