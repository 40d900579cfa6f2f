"""The usual ways to do the same job, as people write them. Each is a program that reads a job and writes what it saw."""
