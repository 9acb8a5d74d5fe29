// The small vocabularies by which misplaced values are recognised. Comparison ignores case.
// Sources: HL7 tables 0182 (staff type), 0278 (filler status), 0286 (provider role), 0360 (degree), and words seen in
// messages. These lists only decide where a value belongs, and which exams and resources of several are taken out; what
// it means is decided in SQL.
#pragma once

#include <string_view>

namespace radscheduler::siu {

bool is_role_word(std::string_view text);         // RADIOLOGIST, TECH ...
bool is_referring_role(std::string_view text);    // REF, REFERRING, ORDERING ...
bool is_degree_word(std::string_view text);       // any degree, short ones (DO, PA) included
bool is_clear_degree_word(std::string_view text); // degrees that are no plausible name
bool is_status_word(std::string_view text);       // long enough never to be an initial
bool is_closing_word(std::string_view text);      // a status of what no longer takes place
bool is_room_word(std::string_view text);         // ROOM, SUITE ... as senders of several languages begin a room's name
bool is_placeholder(std::string_view text);       // what programs write for no value: null, N/A, UNKNOWN, 000
bool is_urgency_word(std::string_view text);      // STAT, URGENT, EMERGENCY, WALKIN, ASAP
int unit_seconds(std::string_view text);          // seconds per unit of time; 0: not a unit

} // namespace radscheduler::siu
