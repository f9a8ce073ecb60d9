"""Is what the line sees still what it was, and what do its verdicts turn out to be worth?"""
