// Purpose: which acknowledgements a message asks for.
//
// Original mode (MSH-15 and MSH-16 empty): one application acknowledgement, AA, AE or AR. Enhanced mode (either is
// valued): an accept acknowledgement (CA, CE, CR: is the message in safe storage?) by MSH-15 and an application
// acknowledgement by MSH-16; conditions AL always, NE never, ER on error or reject, SU on success. A condition left
// empty beside a valued one is NE. An unknown one counts as empty and gives warning ACK_CONDITION_UNKNOWN.
// A message that was refused with CR is not processed, so no application acknowledgement follows a CR (nor a CE).
// Invariant: an accept acknowledgement is never acknowledged itself: its own MSH-15 and MSH-16 stay empty.
// Source: HL7 v2.5 chapter 2.9.2 (original mode), 2.9.3 (enhanced mode), table 0155.
#pragma once

#include "radscheduler/ack.hpp"
#include "radscheduler/message.hpp"
#include "radscheduler/result.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace radscheduler {

struct AckDue {
    std::optional<AckCode> accept;      // CA, CE, CR
    std::optional<AckCode> application; // AA, AE, AR
    std::vector<Warning> warnings;      // ACK_CONDITION_UNKNOWN at MSH-15, MSH-16
};

// outcome: AA and AE mean that the message is stored (accept code CA), AR that its header is not acceptable (CR). A
// caller that could not store the message gives commit_error: CE in enhanced mode, AE in original mode; commit_reject
// likewise is CR or AR, commit_accept CA or AA.
AckDue ack_due(const Message& message, AckCode outcome);

// The same from MSH-15 and MSH-16 as sent.
AckDue ack_due(std::string_view msh15, std::string_view msh16, AckCode outcome);

} // namespace radscheduler
