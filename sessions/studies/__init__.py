"""Studies and analysis plans in the database: what was fixed before there were data.

In: protocols and plans. Out: sessions of studies, what was scored by a plan.
"""
