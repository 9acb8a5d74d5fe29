// Codes of the HL7 tables, all versions from 2.3 on taken together.
#include "code_table.hpp"

#include <array>

namespace radscheduler {

namespace {

struct Entry {
    CodeTable table;
    std::string_view number;
    std::string_view codes; // separated, begun and ended by '|'
    bool user_defined = false;
};

constexpr std::array kTables = std::to_array<Entry>({
    {CodeTable::administrative_sex, "0001", "|A|F|M|N|O|U|X|", true},
    {CodeTable::acknowledgment, "0008", "|AA|AE|AR|CA|CE|CR|"},
    {CodeTable::order_status, "0038", "|A|CA|CM|DC|ER|HD|IP|RP|SC|"},
    {CodeTable::result_status, "0085", "|A|B|C|D|F|I|N|O|P|R|S|U|V|W|X|"},
    {CodeTable::order_control, "0119",
     "|AF|CA|CF|CH|CN|CP|CR|DC|DE|DF|DR|FU|HD|HR|LI|MC|NA|NR|NW|OC|OD|OE|OF|OH|OK|OP|OR|PA|PR|PY|RC|RE|RF|RL|RO|RP|RQ|"
     "RR|RU|SC|SN|SQ|SR|SS|UA|UC|UD|UF|UH|UM|UN|UR|UX|XO|XR|XX|"},
    {CodeTable::report_status, "0123", "|A|C|F|I|M|N|O|P|R|S|X|Y|Z|"},
    {CodeTable::value_type, "0125",
     "|AD|CE|CF|CK|CN|CNE|CP|CWE|CX|DR|DT|DTM|ED|FT|ID|IS|MA|MO|NA|NM|PN|PPN|RP|SI|SN|ST|TM|TN|TS|TX|XAD|XCN|XON|XPN|"
     "XTN|"},
    {CodeTable::yes_no, "0136", "|N|Y|"},
    {CodeTable::acknowledge_when, "0155", "|AL|ER|NE|SU|"},
    {CodeTable::action, "0206", "|A|D|S|U|X|"},
    {CodeTable::charset, "0211",
     "|8859/1|8859/15|8859/2|8859/3|8859/4|8859/5|8859/6|8859/7|8859/8|8859/9|ASCII|BIG-5|CNS 11643-1992|GB 18030-2000|"
     "ISO IR14|ISO IR159|ISO IR6|ISO IR87|KS X 1001|UNICODE|UNICODE UTF-16|UNICODE UTF-32|UNICODE UTF-8|"},
    {CodeTable::filler_status, "0278",
     "|Blocked|Booked|Cancelled|Complete|Dc|Deleted|Noshow|Overbook|Pending|Started|Waitlist|", true},
});

const Entry* entry_of(CodeTable table) {
    for (const Entry& entry : kTables) {
        if (entry.table == table) return &entry;
    }
    return nullptr;
}

} // namespace

std::string_view table_number(CodeTable table) {
    const Entry* entry = entry_of(table);
    return entry != nullptr ? entry->number : std::string_view{};
}

bool holds_code(CodeTable table, std::string_view code) {
    const Entry* entry = entry_of(table);
    if (entry == nullptr) return true;
    for (std::string_view rest = entry->codes.substr(1); !rest.empty();) {
        const std::size_t end = rest.find('|');
        if (rest.substr(0, end) == code) return true;
        rest.remove_prefix(end + 1);
    }
    return false;
}

bool is_user_defined(CodeTable table) {
    const Entry* entry = entry_of(table);
    return entry != nullptr && entry->user_defined;
}

} // namespace radscheduler
