// What words and phrases of study texts mean, as data. Lists of words stand between blanks; what is compared with them
// holds no blank.
#pragma once

#include <string_view>

namespace radscheduler {

// A phrase, its words parted by blanks, and the words that stand for it; # is one digit, and is kept.
struct StudyPhrase {
    std::string_view from;
    std::string_view to;
};

// A word and the one or two that it means.
struct StudyMeaning {
    std::string_view word;
    std::string_view means;
};

// In this order, each all over the text before the next.
inline constexpr StudyPhrase kStudyPhrases[] = {
    {"X RAY", "XRAY"},
    {"X RAYS", "XRAY"},
    {"C SPINE", "CERVICAL SPINE"},
    {"CERV SPINE", "CERVICAL SPINE"},
    {"CSP SPINE", "CERVICAL SPINE"},
    {"CSPINE", "CERVICAL SPINE"},
    {"CERVSPINE", "CERVICAL SPINE"},
    {"CSPSPINE", "CERVICAL SPINE"},
    {"T SPINE", "THORACIC SPINE"},
    {"THOR SPINE", "THORACIC SPINE"},
    {"DORSAL SPINE", "THORACIC SPINE"},
    {"TSPINE", "THORACIC SPINE"},
    {"THORSPINE", "THORACIC SPINE"},
    {"DORSALSPINE", "THORACIC SPINE"},
    {"L S SPINE", "LUMBAR SPINE"},
    {"L SSPINE", "LUMBAR SPINE"},
    {"L SPINE", "LUMBAR SPINE"},
    {"LUMB SPINE", "LUMBAR SPINE"},
    {"LS SPINE", "LUMBAR SPINE"},
    {"LUMBOSACRAL SPINE", "LUMBAR SPINE"},
    {"LSPINE", "LUMBAR SPINE"},
    {"LUMBSPINE", "LUMBAR SPINE"},
    {"LSSPINE", "LUMBAR SPINE"},
    {"LUMBOSACRALSPINE", "LUMBAR SPINE"},
    {"B L", "BILATERAL"},
    {"# V", "#V"},
    {"# VW", "#V"},
    {"# VWS", "#V"},
    {"# VIEW", "#V"},
    {"# VIEWS", "#V"},
    {"#VW", "#V"},
    {"#VWS", "#V"},
    {"#VIEW", "#V"},
    {"#VIEWS", "#V"},
    {"PA LAT", "2V"},
    {"PA LATERAL", "2V"},
    {"PA AND LAT", "2V"},
    {"PA AND LATERAL", "2V"},
    {"RUQ", "RIGHTUPPER QUADRANT"},
    {"RIGHT UPPER", "RIGHTUPPER"},
    {"IAC", "INTERNAL AUDITORY CANALS"},
    {"C A P", "CHEST ABDOMEN PELVIS"},
    {"CAP", "CHEST ABDOMEN PELVIS"},
    {"A P", "ABDOMEN PELVIS"},
    {"AP", "ABDOMEN PELVIS"},
    {"ABDPEL", "ABDOMEN PELVIS"},
    {"FOLLOW UP", "FOLLOWUP"},
    {"FOLLOW THROUGH", "FOLLOWTHROUGH"},
    {"FINE NEEDLE ASPIRATION", "FNA"},
};

inline constexpr StudyMeaning kStudyMeanings[] = {
    {"BRAIN", "HEAD"},
    {"CRANIAL", "HEAD"},
    {"CEREBRAL", "HEAD"},
    {"THORAX", "CHEST"},
    {"ABD", "ABDOMEN"},
    {"ABDOMINAL", "ABDOMEN"},
    {"PEL", "PELVIS"},
    {"PELV", "PELVIS"},
    {"PELVIC", "PELVIS"},
    {"KIDNEY", "RENAL"},
    {"KIDNEYS", "RENAL"},
    {"SINUSES", "SINUS"},
    {"HIPS", "HIP"},
    {"KNEES", "KNEE"},
    {"SHOULDERS", "SHOULDER"},
    {"ANKLES", "ANKLE"},
    {"WRISTS", "WRIST"},
    {"HANDS", "HAND"},
    {"FEET", "FOOT"},
    {"ELBOWS", "ELBOW"},
    {"BREASTS", "BREAST"},
    {"RIB", "RIBS"},
    {"VEINS", "VENOUS"},
    {"VEIN", "VENOUS"},
    {"ARTERIES", "ARTERIAL"},
    {"ARTERY", "ARTERIAL"},
    {"LEGS", "LEG"},
    {"HEART", "CARDIAC"},
    {"HEPATIC", "LIVER"},
    {"TSPINE", "THORACIC SPINE"},
    {"ANGIO", "ANGIOGRAPHY"},
    {"ANGIOGRAM", "ANGIOGRAPHY"},
    {"MRA", "ANGIOGRAPHY"},
    {"CTA", "ANGIOGRAPHY"},
    {"MRV", "VENOGRAPHY"},
    {"CTV", "VENOGRAPHY"},
    {"VENOGRAM", "VENOGRAPHY"},
    {"MRCP", "CHOLANGIOPANCREATOGRAPHY"},
    {"ARTHROGRAM", "ARTHROGRAPHY"},
    {"ARTHRO", "ARTHROGRAPHY"},
    {"BX", "BIOPSY"},
    {"DX", "DIAGNOSTIC"},
    {"DIAG", "DIAGNOSTIC"},
    {"SCREEN", "SCREENING"},
    {"TOMO", "TOMOSYNTHESIS"},
    {"DBT", "TOMOSYNTHESIS"},
    {"DUPLEX", "DOPPLER"},
    {"ECHO", "ECHOCARDIOGRAPHY"},
    {"ECHOCARDIOGRAM", "ECHOCARDIOGRAPHY"},
    {"UROGRAM", "UROGRAPHY"},
    {"CTU", "UROGRAPHY"},
    {"MYELOGRAM", "MYELOGRAPHY"},
    {"CYSTOGRAM", "CYSTOGRAPHY"},
    {"HRCT", "HIGHRES CHEST"},
    {"CXR", "CHEST"},
    {"CALCULI", "STONE"},
    {"CALCULUS", "STONE"},
    {"STONES", "STONE"},
    {"ESOPHAGRAM", "ESOPHAGUS"},
    {"ENTERO", "ENTEROGRAPHY"},
    {"PITUITARY", "SELLA"},
    {"MAXILLOFACIAL", "FACE"},
    {"FACIAL", "FACE"},
};

// Said about contrast, of the modality, or of nothing.
inline constexpr std::string_view kStudyWordsLeftOut =
    " W WO WWO O WITH WITHOUT C CONTRAST CONT CON IV GAD GADOLINIUM GADAVIST OMNIPAQUE ISOVUE PRE POST "
    "NON NONCONTRAST NC NO PLUS ENHANCED UNENHANCED INFUSION CT CAT MR MRI XR XRAY CR DR RADIOGRAPH "
    "RADIOGRAPHY US USG ULTRASOUND SONOGRAM SONOGRAPHY NM NUC PET PT PETCT FL RF FLUORO FLUOROSCOPY IR "
    "XA MG MAM MAMMO MAMMOGRAM MAMMOGRAPHY COMPUTED TOMOGRAPHY MAGNETIC RESONANCE IMAGING DEXA DXA BD "
    "BMD AND OR OF THE A AN IN TO FOR BY ON EXAM EXAMINATION STUDY SCAN ROUTINE PROTOCOL SERIES ";

} // namespace radscheduler
