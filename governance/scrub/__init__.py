"""What is removed: attributes, identifying parts of text, regions of pixels, bytes around the pixels.

attributes.py   a Plan's removing, emptying and cleaning decisions -> Edits
binary.py       values of binary VRs that are text
text.py         identifying spans of a text -> marks of the same kind
regions.py      identifying regions of frames -> black, in stored values
encode.py       changed frames -> PixelData in the same transfer syntax where a codec can
containers.py   what hides in and behind compressed and native pixel bytes
fragments.py    which fragments are of which frame, and whether the offset tables are right
codestreams.py  what hides in compressed frames: JPEG, JPEG-LS, JPEG 2000, RLE
icc.py          what can be read in colour profiles
documents/      encapsulated PDF and CDA, made anew of what stays
"""
