"""Sequences out of people's own files: tables, arrays, the UCR/UEA archive's .ts, audio, text and bytes.

Every reader yields samples one by one; they are checked and stored in one pass, in memory or, where they are too many,
on disk. Images have their own way, through `longreach.data.images` and `longreach.data.pixels`.
"""
