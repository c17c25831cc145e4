"""Statistics of fields, maps and estimates: functions of arrays that return small frozen results."""
