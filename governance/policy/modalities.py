"""The terms that PS3.3, C.7.3.1.1.1 defines for Modality, for policies that name one.

The standard lets anybody write another term, so instances with any pass. A policy is another
matter: a term that nobody defines is most likely a mistake, and would never hold.
"""

from difflib import get_close_matches


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


DEFINED = _terms(
    "ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT "
    "IVUS KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG "
    "RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA "
    "XA XAPROTOCOL XC"
)
RETIRED = _terms("AS CD CF CP CS DD DF DM DS EC FA FS LP MA MS OPR ST VF")
IN_USE = frozenset({"SC"})
"""Never defined, and in many files: secondary captures."""


def is_known(term: str) -> bool:
    """Whether a term is defined, was, or is in use all the same; case does not matter."""
    return term.upper() in DEFINED | RETIRED | IN_USE


def alike(term: str) -> list[str]:
    """Defined terms that are written much as `term` is, the nearest first."""
    return get_close_matches(term.upper(), sorted(DEFINED), n=3, cutoff=0.6)
