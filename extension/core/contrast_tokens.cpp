// The vocabulary, and how signs and words that are written together come apart.
#include "contrast_tokens.hpp"

#include "ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace radscheduler {

namespace {

using Token = ContrastToken;

struct Words {
    Token token;
    std::string_view words; // between blanks
};

constexpr Words kVocabulary[] = {
    {Token::with, " W WITH WTH "},
    {Token::without, " WO WITHOUT WOUT WITHOU WTHOUT WITOUT "},
    {Token::both, " WWO WOW WWOUT WOWITH WITHWITHOUT WITHOUTWITH WANDWO WOANDW "},
    {Token::pre, " PRE "},
    {Token::post, " POST "},
    {Token::no, " NO NON NONE ZERO "},
    {Token::yes, " YES "},
    {Token::negation, " NOT NEVER HOLD REFUSED REFUSES DECLINED DECLINES AVOID CANNOT NC "},
    {Token::agent, " CONTRAST CONTRASTS CONTRASTED CONTRST CONTRAS CONSTRAST CONTAST CONTR CONT CNTRST"
                   " CNTRAST CNTR CTRST CON DYE ENHANCEMENT "},
    {Token::named_agent, " GAD GADO GADOLINIUM GADOLINUM GADAVIST GADOVIST GADOTERATE GADOBUTROL DOTAREM EOVIST"
                         " MAGNEVIST MULTIHANCE PROHANCE OMNIPAQUE ISOVUE VISIPAQUE ULTRAVIST OPTIRAY IVCON"
                         " IVCONTRAST IODINATED "},
    {Token::enhanced, " ENHANCED ENH ENHANCING CE CEMRI CEMRA CECT CEM CESM "},
    {Token::plain, " UNENHANCED NONENHANCED UNENH NCCT NONCONTRASTED NONCONTRAST NONCON NONCONT "},
    {Token::dry, " DRY PLAIN "},
    {Token::intravenous, " IV INTRAVENOUS INTRAVASCULAR "},
    {Token::other_route, " ORAL PO RECTAL ENTERIC INTRATHECAL INTRAARTICULAR ARTICULAR VESICAL BOWEL "},
    {Token::both_join, " AND THEN PLUS FOLLOWED BY "},
    {Token::either_join, " OR VS VERSUS "},
    {Token::filler, " AGENT MEDIA MEDIUM THE ANY A OF LOW ISO OSMOLAR MATERIAL ADMINISTRATION INJECTION BOLUS"
                    " USE "},
    {Token::open, " IF NEEDED PRN OPTIONAL TBD EITHER UNSURE DISCRETION INDICATED DEPENDING DECIDE"
                  " DETERMINE UNLESS UNCERTAIN "},
    {Token::open_beside, " POSSIBLE POSSIBLY MAYBE MAY NEED NEEDS CONSIDER UNKNOWN ASK CHECK PROBABLE PROBABLY"
                         " LIKELY "},
    {Token::allergy, " ALLERGY ALLERGIES ALLERGIC REACTION REACTIONS INTOLERANCE NEPHROPATHY "},
    {Token::implied, " CTA CTPA CTV CCTA ANGIO ANGIOGRAM ANGIOGRAPHY ARTERIOGRAM VENOGRAM VENOGRAPHY UROGRAM"
                     " UROGRAPHY PYELOGRAM IVP IVU MYELOGRAM MYELOGRAPHY"
                     " HYSTEROSALPINGOGRAM HYSTEROSALPINGOGRAPHY HSG CYSTOGRAM CYSTOURETHROGRAM VCUG "},
    {Token::joint, " ARTHROGRAM ARTHROGRAPHY ARTHRO "},
    {Token::magnetic, " MR MRI MRA MRV NMR MRU "},
    {Token::scan, " CT CAT SCAN STUDY EXAM RUN FILM FILMS RADIOGRAPH SERIES IMAGING "},
    {Token::other, " SEDATION SED ANESTHESIA ANAESTHESIA ANES GENERAL GA CAD DOPPLER DUPLEX DOP TOMO"
                   " TOMOSYNTHESIS VIEW VIEWS VW VWS OBLIQUE OBLIQUES OBL BIOPSY BX GUIDANCE GUIDED RECON"
                   " RECONS RECONSTRUCTION RECONSTRUCTIONS 3D MIP MPR WEIGHT BEARING FLEXION EXTENSION"
                   " ELASTOGRAPHY CLIP MARKER LOCALIZATION IMPLANT IMPLANTS STRESS SPECT TRANSVAGINAL TV"
                   " INTERPRETER DISC DISK CD REPORT PAIN FRACTURE FEVER HISTORY HX COMPARISON CUBE OP"
                   " OPERATIVE TRAUMA VOID PROCEDURE SURGERY REDUCTION CAST PLACEMENT VIDEO SPEECH AIR"
                   " CONTROL ATTENUATION LATERAL DECUBITUS SUNRISE RIBS TREADMILL EXERCISE SMALL AIDE CARE"
                   " PARTUM NATAL CRITICAL DISPLACED INVASIVE OBSTETRIC VERTEBRAL ASSESSMENT "},
};

// Precondition: the word holds no blank.
Token token_of(std::string_view word) {
    const std::string between = " " + std::string(word) + " ";
    for (const Words& entry : kVocabulary) {
        if (entry.words.find(between) != std::string_view::npos) return entry.token;
    }
    return Token::word;
}

bool is_letter_or_digit(char c) {
    return is_alpha(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}

class Lexer {
public:
    explicit Lexer(std::string_view text) : text_(text) {}

    std::vector<Token> run() {
        while (at_ < text_.size()) {
            if (take_plus_minus() || take_letter_c() || take_slashed()) continue;
            if (is_letter_or_digit(text_[at_])) {
                take_word();
            } else {
                take_sign();
            }
        }
        return std::move(tokens_);
    }

private:
    char peek(std::size_t ahead) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : ' '; }
    bool starts(std::string_view sign) const { return text_.substr(at_, sign.size()) == sign; }
    bool at_word_start() const { return at_ == 0 || !is_letter_or_digit(text_[at_ - 1]); }
    bool ends_word(std::size_t ahead) const { return !is_letter_or_digit(peek(ahead)); }

    void put(Token token, std::size_t length) {
        tokens_.push_back(token);
        at_ += length;
    }

    // Plus or minus, as one sign or as several: with or without, nobody knows.
    std::size_t plus_minus_at(std::size_t ahead) const {
        for (const std::string_view sign : {"+/-", "-/+", "\xC2\xB1"}) {
            if (text_.substr(std::min(at_ + ahead, text_.size()), sign.size()) == sign) return sign.size();
        }
        return 0;
    }

    bool take_plus_minus() {
        const std::size_t length = plus_minus_at(0);
        if (length == 0) return false;
        tokens_.push_back(Token::with);
        tokens_.push_back(Token::either_join);
        tokens_.push_back(Token::without);
        at_ += length;
        if (to_upper(peek(0)) == 'C' && ends_word(1)) put(Token::agent, 1);
        return true;
    }

    // C+, C-, C+/-, +C, -C: but C-SPINE and C-ARM are other things.
    bool take_letter_c() {
        const char first = peek(0);
        if (to_upper(first) == 'C' && at_word_start()) {
            if (const std::size_t length = plus_minus_at(1); length > 0 && ends_word(1 + length)) {
                put(Token::both, 1 + length);
                tokens_.push_back(Token::agent);
                return true;
            }
            if ((peek(1) == '+' || peek(1) == '-') && ends_word(2)) {
                put(peek(1) == '+' ? Token::with : Token::without, 2);
                tokens_.push_back(Token::agent);
                return true;
            }
            return false;
        }
        if ((first == '+' || first == '-') && at_word_start() && to_upper(peek(1)) == 'C' && ends_word(2) &&
            peek(2) != '-' && peek(2) != '+') {
            put(first == '+' ? Token::with : Token::without, 2);
            tokens_.push_back(Token::agent);
            return true;
        }
        return false;
    }

    // W/O and W/OUT are one word; of W/WO and W/CONTRAST the stroke falls away.
    bool take_slashed() {
        if (to_upper(peek(0)) != 'W' || !at_word_start() || peek(1) != '/') return false;
        if (to_upper(peek(2)) == 'O') {
            const bool whole = to_upper(peek(3)) == 'U' && to_upper(peek(4)) == 'T';
            if (ends_word(whole ? 5 : 3) || !whole) {
                put(Token::without, whole ? 5 : 3);
                return true;
            }
        }
        if (to_upper(peek(2)) == 'C' && ends_word(3)) { // with contrast, or a wheelchair
            put(Token::agent, 3);
            return true;
        }
        put(Token::with, 2);
        return true;
    }

    void take_word() {
        std::string word;
        while (at_ < text_.size() && is_letter_or_digit(text_[at_]))
            word.push_back(to_upper(text_[at_++]));
        const Token token = token_of(word);
        if (token != Token::word) {
            tokens_.push_back(token);
            return;
        }
        for (const std::string_view first :
             {"WITHOUT", "WITH", "WWO", "WO", "W", "NON", "NO", "PRE", "POST", "IV", "UN"}) {
            if (word.size() <= first.size() || word.compare(0, first.size(), first) != 0) continue;
            const Token rest = token_of(std::string_view(word).substr(first.size()));
            const bool short_rest = word.size() - first.size() < 4; // WOCON is clear, WCON and WGAD too; NOCON is not
            if (rest == Token::named_agent || (rest == Token::agent && (!short_rest || first[0] == 'W'))) {
                tokens_.push_back(first == "UN" ? Token::no : token_of(first));
                tokens_.push_back(rest);
                return;
            }
        }
        // Any other word with contrast in it is about contrast.
        const bool told = word.find("CONTRAST") != std::string::npos || word.find("GADOLIN") != std::string::npos;
        tokens_.push_back(told ? Token::agent : Token::word);
        if (told) tokens_.push_back(Token::open_beside);
    }

    void take_sign() {
        const char c = text_[at_];
        const bool attached = at_ > 0 && is_letter_or_digit(text_[at_ - 1]);
        if (c == '&' || c == '+' || c == '/') {
            put(Token::both_join, 1);
        } else if (c == '?') {
            put(attached ? Token::open_beside : Token::pause, 1);
        } else if (c == ',' || c == ';' || c == ':' || c == '(' || c == ')' || c == '[' || c == ']' || c == '=' ||
                   c == '|' || c == '^' || c == '\n' || c == '\r') {
            put(Token::pause, 1);
        } else {
            ++at_;
        }
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<Token> tokens_;
};

} // namespace

std::vector<ContrastToken> contrast_tokens(std::string_view text) {
    return Lexer(text).run();
}

} // namespace radscheduler
