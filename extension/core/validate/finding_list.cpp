// Findings and their paths.
#include "finding_list.hpp"

namespace radscheduler {

std::string Place::path() const {
    std::string text(segment);
    if (occurrence > 1) text += "[" + std::to_string(occurrence) + "]";
    if (field == 0) return text;
    text += "-" + std::to_string(field);
    if (repetition > 1) text += "[" + std::to_string(repetition) + "]";
    if (component > 0) text += "." + std::to_string(component);
    return text;
}

void FindingList::add(Severity severity, const Place& place, std::string_view code, std::string text) {
    if (full()) return;
    findings_.push_back({severity, place.path(), std::string(code), std::move(text)});
}

std::vector<Finding> FindingList::take() {
    if (full()) {
        findings_.resize(kMaxFindings);
        findings_.push_back({Severity::information, "", "0",
                             "There are more than " + std::to_string(kMaxFindings) +
                                 " findings; the rest is left out. Correct these and check again."});
    }
    return std::move(findings_);
}

} // namespace radscheduler
