// contrast_meant(): what the text of an exam says about contrast.
#include "radscheduler/contrast_words.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

RAD_FUNCTION(rad_contrast_meant) {
    const std::string_view word = name_of(contrast_meant(view_of(PG_GETARG_VARLENA_PP(0))));
    *result = PointerGetDatum(varlena_of(word));
    return true;
}

} // namespace radscheduler::pg
