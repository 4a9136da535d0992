"""One HTML file about a run: its page, its sections, nearest training samples, and a look at its data.

It leans on the doctor, on pictures and on evaluation, and changes nothing in the run.
"""
