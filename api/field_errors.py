"""What to say about one field that pydantic refused, by the type of its error.

pydantic's own text is not used: it is English, written for programmers, and may quote the value.
A sentence may name, in braces, only what the *schema* says (a limit, the permitted values), never the input.
"""

from collections.abc import Mapping

from schemas.texts import Text

_SENTENCES: dict[Text, tuple[str, ...]] = {
    Text("必填，不能缺少。", "Required; it is missing."): (
        "missing",
        "missing_argument",
        "missing_keyword_only_argument",
        "missing_positional_only_argument",
        "missing_sentinel_error",
        "default_factory_not_called",
    ),
    Text(
        "此处有未定义的字段；请检查拼写或删除。",
        "A field here is not defined; check its spelling or remove it.",
    ): (
        "extra_forbidden",
        "unexpected_keyword_argument",
        "unexpected_positional_argument",
    ),
    Text("只能出现一次。", "It may be there only once."): ("multiple_argument_values",),
    Text("不能修改。", "It cannot be changed."): ("frozen_field", "frozen_instance"),
    Text("应为空值 null。", "It should be null."): ("none_required",),
    Text("应为文本。", "It should be text."): ("string_type", "bytes_type", "ellipsis_error"),
    Text("文本含有无效字符，应为 UTF-8 编码。", "The text has invalid characters; it should be UTF-8."): (
        "string_unicode",
        "bytes_invalid_encoding",
    ),
    Text("只能使用英文字母、数字和半角符号。", "Only ASCII letters, digits and signs are possible."): (
        "string_not_ascii",
    ),
    Text("太短，至少 {min_length} 个字符。", "Too short; at least {min_length} characters."): (
        "string_too_short",
        "bytes_too_short",
    ),
    Text("太长，至多 {max_length} 个字符。", "Too long; at most {max_length} characters."): (
        "string_too_long",
        "bytes_too_long",
        "url_too_long",
    ),
    Text("格式不符合要求；请对照接口文档中的格式。", "Not in the required form; see the API reference."): (
        "string_pattern_mismatch",
    ),
    Text("应为以下之一：{expected}。", "It should be one of: {expected}."): ("enum", "literal_error"),
    Text("应为 true 或 false，不加引号。", "It should be true or false, without quotes."): (
        "bool_type",
        "bool_parsing",
    ),
    Text("应为整数。", "It should be a whole number."): (
        "int_type",
        "int_parsing",
        "int_parsing_size",
        "int_from_float",
    ),
    Text("应为数字。", "It should be a number."): (
        "float_type",
        "float_parsing",
        "decimal_type",
        "decimal_parsing",
        "fraction_type",
        "fraction_parsing",
        "complex_type",
        "complex_str_parsing",
    ),
    Text("应为有限的数字。", "It should be a finite number."): ("finite_number",),
    Text("应大于 {gt}。", "It should be greater than {gt}."): ("greater_than",),
    Text("应不小于 {ge}。", "It should be {ge} or more."): ("greater_than_equal",),
    Text("应小于 {lt}。", "It should be less than {lt}."): ("less_than",),
    Text("应不大于 {le}。", "It should be {le} or less."): ("less_than_equal",),
    Text("应为 {multiple_of} 的倍数。", "It should be a multiple of {multiple_of}."): ("multiple_of",),
    Text("至多 {max_digits} 位数字。", "At most {max_digits} digits."): ("decimal_max_digits",),
    Text("至多 {decimal_places} 位小数。", "At most {decimal_places} decimal places."): (
        "decimal_max_places",
    ),
    Text("小数点前至多 {whole_digits} 位。", "At most {whole_digits} digits before the decimal point."): (
        "decimal_whole_digits",
    ),
    Text("应为对象（花括号内的字段）。", "It should be an object (fields in braces)."): (
        "model_type",
        "model_attributes_type",
        "dataclass_type",
        "dataclass_exact_type",
        "named_tuple_type",
        "dict_type",
        "frozen_dict_type",
        "ordered_dict_type",
        "counter_type",
        "mapping_type",
        "arguments_type",
        "get_attribute_error",
        "no_such_attribute",
        "needs_python_object",
        "is_instance_of",
        "is_subclass_of",
        "callable_type",
    ),
    Text("字段名应为文本。", "Field names should be text."): ("invalid_key",),
    Text("应为列表（方括号内的各项）。", "It should be a list (items in square brackets)."): (
        "list_type",
        "deque_type",
        "tuple_type",
        "set_type",
        "frozen_set_type",
        "iterable_type",
        "iteration_error",
        "set_item_not_hashable",
    ),
    Text("项数太少，至少 {min_length} 项。", "Too few items; at least {min_length}."): ("too_short",),
    Text("项数太多，至多 {max_length} 项。", "Too many items; at most {max_length}."): ("too_long",),
    Text("不是合法的 JSON。", "It is not valid JSON."): ("json_invalid", "json_type"),
    Text("嵌套过深或循环引用。", "Nested too deeply, or in a circle."): (
        "recursion_loop",
        "recursion_depth_exceeded",
    ),
    Text(
        "应为日期，格式 YYYY-MM-DD，例如 2026-03-01。", "It should be a date, YYYY-MM-DD, e.g. 2026-03-01."
    ): (
        "date_type",
        "date_parsing",
        "date_from_datetime_parsing",
        "date_from_datetime_inexact",
    ),
    Text(
        "应为日期时间，例如 2026-03-01T09:30:00+08:00。",
        "It should be a date and time, e.g. 2026-03-01T09:30:00+08:00.",
    ): (
        "datetime_type",
        "datetime_parsing",
        "datetime_object_invalid",
        "datetime_from_date_parsing",
    ),
    Text("应早于现在。", "It should be in the past."): ("date_past", "datetime_past"),
    Text("应晚于现在。", "It should be in the future."): ("date_future", "datetime_future"),
    Text("应带时区，例如 +08:00。", "It should have a time zone, e.g. +08:00."): ("timezone_aware",),
    Text("不应带时区。", "It should have no time zone."): ("timezone_naive",),
    Text("时区不符合要求。", "It should have another time zone."): ("timezone_offset",),
    Text("应为时间，例如 09:30:00。", "It should be a time, e.g. 09:30:00."): ("time_type", "time_parsing"),
    Text("应为时长，例如 P30D。", "It should be a duration, e.g. P30D."): (
        "time_delta_type",
        "time_delta_parsing",
    ),
    Text("应为完整网址，例如 https://…。", "It should be a whole address, e.g. https://…."): (
        "url_type",
        "url_parsing",
        "url_syntax_violation",
    ),
    Text("网址应以 {expected_schemes} 开头。", "The address should begin with {expected_schemes}."): (
        "url_scheme",
    ),
    Text("应为 UUID（8-4-4-4-12 位十六进制数）。", "It should be a UUID (hexadecimal digits, 8-4-4-4-12)."): (
        "uuid_type",
        "uuid_parsing",
    ),
    Text("应为第 {expected_version} 版 UUID。", "It should be a UUID of version {expected_version}."): (
        "uuid_version",
    ),
    Text(
        "{discriminator} 应为以下之一：{expected_tags}。",
        "{discriminator} should be one of: {expected_tags}.",
    ): ("union_tag_invalid",),
    Text("缺少 {discriminator}。", "{discriminator} is missing."): ("union_tag_not_found",),
    Text("此值不符合要求；请对照接口文档。", "The value is not accepted; see the API reference."): (
        "value_error",
        "assertion_error",
    ),
}

_SENTENCE_OF = {kind: sentence for sentence, kinds in _SENTENCES.items() for kind in kinds}

KINDS = frozenset(_SENTENCE_OF)
"""The pydantic error types that have a sentence."""


def sentence(kind: str, limits: Mapping[str, object]) -> Text:
    """What to say about an error of type ``kind``.

    Args:
        kind: pydantic's error type; one of our own validators' types reads like ``value_error``.
        limits: The error's context; only what the sentence names is read from it.
    """
    text = _SENTENCE_OF.get(kind) or _SENTENCE_OF["value_error"]
    return Text(text.zh.format_map(limits), text.en.format_map(limits))
