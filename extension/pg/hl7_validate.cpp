// hl7_validate(): the findings of the strict check as rows.
#include "radscheduler/validate.hpp"

#include <vector>

#include "rows.hpp"
#include "stored_message.hpp"

namespace radscheduler::pg {

namespace {

std::string_view severity_word(Severity severity) {
    switch (severity) {
    case Severity::error:
        return "error";
    case Severity::warning:
        return "warning";
    case Severity::information:
        return "information";
    }
    return "error";
}

Rows finding_rows(const Message& message) {
    const std::vector<Finding> findings = validate(message);
    RowBuilder rows(4, findings.size());
    for (const Finding& finding : findings) {
        rows.text(severity_word(finding.severity));
        rows.text(finding.path);
        rows.text(finding.code);
        rows.text(finding.text);
    }
    return rows.take();
}

} // namespace

RAD_FUNCTION(rad_hl7_validate) {
    const struct varlena* value = PG_GETARG_VARLENA_PP(0);
    const Rows rows = finding_rows(open_stored(value));
    return_rows(fcinfo, rows);
    *result = 0;
    return true;
}

} // namespace radscheduler::pg
