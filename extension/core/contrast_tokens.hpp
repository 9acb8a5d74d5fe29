// The words of an exam's text as the reader of contrast words sees them. Case does not matter; what is not listed is a
// plain word. Numbers of tokens are bounded by the length of the text.
#pragma once

#include <string_view>
#include <vector>

namespace radscheduler {

enum class ContrastToken {
    with,        // W, WITH
    without,     // WO, W/O, WITHOUT
    both,        // WWO
    pre,         // PRE
    post,        // POST
    no,          // NO, NON
    yes,         // YES
    negation,    // NOT, HOLD, REFUSED: what it negates is for a person to read
    agent,       // CONTRAST, DYE
    named_agent, // GADOLINIUM, OMNIPAQUE: said only when it is given
    enhanced,    // ENHANCED
    plain,       // UNENHANCED, NONCONTRAST
    dry,         // DRY, PLAIN: without, where nothing else is meant by it
    intravenous, // IV
    other_route, // ORAL, RECTAL
    both_join,   // AND, &, +, /, THEN
    either_join, // OR
    filler,      // words between: AGENT, MEDIA, THE
    open,        // IF, PRN, OPTIONAL: leaves it open wherever it stands
    open_beside, // POSSIBLE, MAY: leaves open what stands beside it
    allergy,     // ALLERGY, REACTION
    implied,     // CTA, ANGIOGRAM: never done without, but in a magnet
    joint,       // ARTHROGRAM: never done without
    magnetic,    // MR, MRI
    scan,        // CT, SCAN: a word for the exam as such
    other,       // SEDATION, VIEWS: what an exam is done with besides
    word,        // any other word
    pause        // comma, bracket, colon
};

std::vector<ContrastToken> contrast_tokens(std::string_view text);

} // namespace radscheduler
