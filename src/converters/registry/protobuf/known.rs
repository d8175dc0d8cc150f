//! Files that schemas import without registering them, since Confluent's libraries bring them along: those
//! of Confluent and the common types of Google. Google's own runtime files come from protox.

/// Names and texts, without comments and without options for other languages.
pub(super) const KNOWN: [(&str, &str); 18] = [
    (
        "confluent/meta.proto",
        "syntax = \"proto3\";\npackage confluent;\nimport \"google/protobuf/descriptor.proto\";\n\
         message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; \
         repeated Rule rules = 4; }\n\
         message Rule { string name = 1; string doc = 2; string expr = 3; string sql = 4; }\n\
         extend google.protobuf.FileOptions { Meta file_meta = 1088; }\n\
         extend google.protobuf.MessageOptions { Meta message_meta = 1088; }\n\
         extend google.protobuf.FieldOptions { Meta field_meta = 1088; }\n\
         extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }\n\
         extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }\n",
    ),
    (
        "confluent/type/decimal.proto",
        "syntax = \"proto3\";\npackage confluent.type;\n\
         message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }\n",
    ),
    (
        "google/type/calendar_period.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         enum CalendarPeriod { CALENDAR_PERIOD_UNSPECIFIED = 0; DAY = 1; WEEK = 2; FORTNIGHT = 3; \
         MONTH = 4; QUARTER = 5; HALF = 6; YEAR = 7; }\n",
    ),
    (
        "google/type/color.proto",
        "syntax = \"proto3\";\npackage google.type;\nimport \"google/protobuf/wrappers.proto\";\n\
         message Color { float red = 1; float green = 2; float blue = 3; \
         google.protobuf.FloatValue alpha = 4; }\n",
    ),
    (
        "google/type/date.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message Date { int32 year = 1; int32 month = 2; int32 day = 3; }\n",
    ),
    (
        "google/type/datetime.proto",
        "syntax = \"proto3\";\npackage google.type;\nimport \"google/protobuf/duration.proto\";\n\
         message DateTime { int32 year = 1; int32 month = 2; int32 day = 3; int32 hours = 4; \
         int32 minutes = 5; int32 seconds = 6; int32 nanos = 7; \
         oneof time_offset { google.protobuf.Duration utc_offset = 8; TimeZone time_zone = 9; } }\n\
         message TimeZone { string id = 1; string version = 2; }\n",
    ),
    (
        "google/type/dayofweek.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         enum DayOfWeek { DAY_OF_WEEK_UNSPECIFIED = 0; MONDAY = 1; TUESDAY = 2; WEDNESDAY = 3; \
         THURSDAY = 4; FRIDAY = 5; SATURDAY = 6; SUNDAY = 7; }\n",
    ),
    (
        "google/type/expr.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message Expr { string expression = 1; string title = 2; string description = 3; \
         string location = 4; }\n",
    ),
    (
        "google/type/fraction.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message Fraction { int64 numerator = 1; int64 denominator = 2; }\n",
    ),
    (
        "google/type/interval.proto",
        "syntax = \"proto3\";\npackage google.type;\nimport \"google/protobuf/timestamp.proto\";\n\
         message Interval { google.protobuf.Timestamp start_time = 1; \
         google.protobuf.Timestamp end_time = 2; }\n",
    ),
    (
        "google/type/latlng.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message LatLng { double latitude = 1; double longitude = 2; }\n",
    ),
    (
        "google/type/localized_text.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message LocalizedText { string text = 1; string language_code = 2; }\n",
    ),
    (
        "google/type/money.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message Money { string currency_code = 1; int64 units = 2; int32 nanos = 3; }\n",
    ),
    (
        "google/type/month.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         enum Month { MONTH_UNSPECIFIED = 0; JANUARY = 1; FEBRUARY = 2; MARCH = 3; APRIL = 4; MAY = 5; \
         JUNE = 6; JULY = 7; AUGUST = 8; SEPTEMBER = 9; OCTOBER = 10; NOVEMBER = 11; DECEMBER = 12; }\n",
    ),
    (
        "google/type/phone_number.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message PhoneNumber { message ShortCode { string region_code = 1; string number = 2; } \
         oneof kind { string e164_number = 1; ShortCode short_code = 2; } string extension = 3; }\n",
    ),
    (
        "google/type/postal_address.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message PostalAddress { int32 revision = 1; string region_code = 2; string language_code = 3; \
         string postal_code = 4; string sorting_code = 5; string administrative_area = 6; \
         string locality = 7; string sublocality = 8; repeated string address_lines = 9; \
         repeated string recipients = 10; string organization = 11; }\n",
    ),
    (
        "google/type/quaternion.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message Quaternion { double x = 1; double y = 2; double z = 3; double w = 4; }\n",
    ),
    (
        "google/type/timeofday.proto",
        "syntax = \"proto3\";\npackage google.type;\n\
         message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }\n",
    ),
];
