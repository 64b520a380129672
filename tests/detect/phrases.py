"""Descriptions as scanners and requests write them; made up. None of them identifies anybody."""

from pathlib import Path

CLINICAL = """\
CT CHEST W CONTRAST
CT HEAD/BRAIN WO CONTRAST
CT ABDOMEN PELVIS W/WO CONTRAST
CT ANGIO CHEST PE PROTOCOL
CTA HEAD AND NECK
CT C-SPINE WITHOUT CONTRAST
CT L-SPINE W/O CONT
CT Thorax/Abdomen/Becken nativ
CT Urogram delayed 10 min
CT Perfusion Brain 5mm
CT Coronary Calcium Score
Thorax 1.0 B70f lung window
Abdomen 5.0 B30f portal venous
AbdPelv 3.0 Br40 S3 axial
Lung 1.25mm thin recon
Bone window 0.6 mm sagittal MPR
Topogram 0.6 T20f
Scout lateral
Dose Report
Smart Prep Series
Monitoring 10.0 B20f
Premonitoring
Test Bolus
Patient Protocol
Low dose CT lung screening
Head 4.8 H31s sequence
Neck 2.0 soft tissue coronal
Sinuses 1.5 mm bone algorithm
Temporal bones right 0.6
Routine Brain 5/5mm Plain
HRCT prone inspiration expiration
CTA Runoff lower extremities
Cardiac CT best diastole 75 %
MIP axial 10 mm
3D volume rendering
Dual Energy VNC liver 120 kV
Iodine map pulmonary
MRI BRAIN W WO CONTRAST
MR Knee right without contrast
AX T1 FLAIR
AX T2 FSE FS
SAG T1 SE
COR STIR
Ax DWI b1000
ADC
eADC
AX SWI MIP
SAG T2 CUBE
COR T2 HASTE thin slab MRCP
t1_mprage_sag_p2_iso
t2_tse_tra_p2_320
t2_tse_cor_448_p2
t1_vibe_fs_tra_bh_dyn
ep2d_diff_mddw_20_p2
ep2d_bold_moco_p2
gre_field_mapping
tof_3d_multi-slab
tfl3d1_16ns
localizer_3plane
3-PLANE LOC
3D Ax T1 MP-RAGE
Axial EPI FMRI interleaved
DTI 64 directions
pCASL 3D perfusion
relCBF
SSh_DWI FAST SENSE
WIP T2W_TSE SENSE
sT1W_3D_TFE SENSE
mDIXON-All water
T1W_SE post GAD
dS_T2W_TSE sag
BLADE T2 fs cor
STAR VIBE free breathing
Cine SAX retro gated
LGE PSIR short axis
4D flow aorta
T1 MOLLI native
Phase contrast venc 150
AXIAL LAVA post contrast arterial
FIESTA coronal breath hold
SAG 3D SPACE FLAIR
PD FS AXIAL OBL
MRA TOF circle of Willis
Prostate mpMRI DCE
Breast dynamic subtraction
Shoulder left arthrogram
Lumbar spine degenerative disc
Whole spine survey
Spectroscopy single voxel TE 35
MR Enterography
XR CHEST PA AND LATERAL
CHEST AP PORTABLE
PORTABLE CHEST SUPINE ERECT
XR Knee 3 views right
Hand PA left
C Spine Comp Min 4 Views
Cervical OBL LAO
ABD AP KUB
Pelvis AP and frog leg lateral
Foot left weight bearing
Ribs left oblique RAO
Skull AP/LAT
Hip right cross table lateral
Shoulder Y view axillary
Bone age left hand
MAMMO BILATERAL SCREENING
R MLO
L CC magnification
Tomosynthesis right breast
US ABDOMEN COMPLETE
US KIDNEY
US CHEST WALL/SOFT TISSUE
OB US second trimester
Carotid duplex bilateral
Thyroid ultrasound
Transesophageal Echocardiogram
Venous Doppler lower extremity left
Echo adult transthoracic
PET-CT skull base to mid thigh
PET WB AC
FDG PET attenuation corrected
CT for attenuation correction 3.0
Whole Body Bone scan
Tc-99m MDP
MIBI stress rest SPECT
Renogram dynamic
Thyroid uptake I-123
VQ scan perfusion
Cardiac Catheterization
Left coronary RAO caudal
DSA abdominal aorta
Fluoroscopy upper GI
Barium enema
Cerebral angiogram
RT Structure Set
RT Plan
RT Dose
Portal image AP
CBCT pelvis
Schädel nativ axial
MRT Kopf mit Kontrastmittel
Röntgen Thorax p.a. und seitlich
Becken Übersicht
LWS in 2 Ebenen
Knie rechts koronal
Oberbauch Sonographie
CT Hals Thorax Abdomen venös
Handgelenk links dorsal
Wirbelsäule sagittal
IRM cérébrale sans injection
Scanner thorax abdomen avec injection
Crâne coupes fines
Rachis lombaire de face et de profil
Genou gauche
Échographie abdominale
Radiographie du bassin
TAC de tórax con contraste
Resonancia de rodilla derecha
Columna lumbar sin contraste
Cráneo simple
Ecografía abdominal
RM encefalo senza e con mdc
TC torace senza contrasto
Bacino e anca destra
Ginocchio sinistro
CT hersenen zonder contrast
MRI knie links
Echo bovenbuik
Tomografia de tórax sem contraste
Ressonância magnética do crânio
Normal sinus rhythm
Compared to previous study
No acute intracranial hemorrhage
Left lower lobe pneumonia follow up
Rule out fracture
Status post total hip replacement
Lossy compression with JPEG baseline
Omnipaque 300 100 ml IV
Gadovist 7.5 ml
SENSE-Head-8
HeadNeck_20
STANDARD
SIEMENS SOMATOM Definition AS+
GE MEDICAL SYSTEMS LightSpeed VCT
Philips Ingenia 3.0T
TOSHIBA Aquilion ONE
syngo MR B17
syngo CT VA48A
頭部単純CT
胸部造影
腹部 平扫 增强
""".splitlines()

STRUCTURES = (Path(__file__).parent / "structures.txt").read_text("utf-8").split()
"""Names of targets, organs and helpers as radiotherapy writes them, by TG-263 and before it."""
