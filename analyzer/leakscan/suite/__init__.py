"""The other end of the pytest plugin: a process that analyses what the tests' process has recorded.

`leakscan _suite` is started by leakscan/pytest_plugin/analyst.py, once for a session of pytest, and answers
one JSON object a line. Nothing here runs in the tests' process, and nothing there imports this.
"""
