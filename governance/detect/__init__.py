"""Instance -> what identifies in it. Runs before anything is changed, and again on the written bytes.

identifiers.py   names, numbers, UIDs, dates of this study; and the search for them in bytes
compressed.py    what could be read in compressed pixels
tags.py          what surrounds a number in bytes: the next element, a time of day
literals.py      how a name or number is spelled in bytes
text.py          a text -> spans that may identify
own.py           what of a text is this study's own, however it is spelled
near.py          words that are an own name with one typing error
seen.py          texts as a person sees them, and words that cannot be read
held.py          which of thousands of strings a text holds
names.py         which words of a text are in names of people and places
tagger.py        how likely each word is to be: a small network of our own
patterns.py      what has the form of an identifier: Presidio's recognisers with our patterns
installed.py     models for names that a site has installed, besides ours
recognizers.py   all of this for presidio-analyzer, which a run does not use
vocabulary.py    the words that descriptions may keep, phrases, and frequent names; lists in data/
burned_in.py     frames -> lines of text, each with what it is
judging.py       what a line of burned-in text is
markers.py       the grammar of clinical markers
rendering.py     a frame -> pictures of it that differ
screen.py        a frame -> where it may show text: two small networks of our own, on everything
networks.py      a network that can be run
recent.py        what was lately worked out of pixels
rectangles.py    what meets, and what covers what
locating.py      a part of a picture -> boxes with text in it: an engine, where the screen fired
engines/         the programs that locate and read text
devices.py       what is known of a device's images
"""
