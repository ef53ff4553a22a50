"""Every bound of the contract VM, by name; each is a rule of the chain, the same on all nodes."""

from typing import Final

# Of a module, checked by the verifier.
MODULE_BYTES_MAX: Final = 32 * 1024
MODULE_LEAVES_MAX: Final = 4096
TYPES_MAX: Final = 128
TYPE_DEPTH_MAX: Final = 4
TYPE_LEAVES_MAX: Final = 256
RECORD_FIELDS_MAX: Final = 32
MAP_KEYS_MAX: Final = 3
CONSTANTS_MAX: Final = 256
CONSTANT_BYTES_MAX: Final = 4096
STORAGE_FIELDS_MAX: Final = 64
EVENTS_MAX: Final = 64
EVENT_FIELDS_MAX: Final = 16
METHODS_MAX: Final = 64
FUNCTIONS_MAX: Final = 256
PARAMS_MAX: Final = 16
LOCALS_MAX: Final = 64
CODE_BYTES_MAX: Final = 4 * 1024
STACK_HEIGHT_MAX: Final = 64
NESTING_MAX: Final = 16
INTERNAL_CALL_DEPTH_MAX: Final = 16
NAME_LENGTH_MAX: Final = 64

# Of values and calls, checked while a contract runs.
INT_BITS: Final = 256
INT_MIN: Final = -(1 << 255)
INT_MAX: Final = (1 << 255) - 1
SHIFT_MAX: Final = 255
BYTES_SIZE_MAX: Final = 64 * 1024
STR_SIZE_BYTES_MAX: Final = 64 * 1024
LIST_LENGTH_MAX: Final = 4096
STORAGE_LIST_LENGTH_MAX: Final = 1 << 32
MAP_KEY_SIZE_BYTES_MAX: Final = 128
ENCODED_VALUE_BYTES_MAX: Final = 64 * 1024
MEMORY_BYTES_MAX: Final = 16 * 1024 * 1024
CALL_DEPTH_MAX: Final = 8
EVENTS_PER_TRANSACTION_MAX: Final = 256
SCHEDULES_PER_TRANSACTION_MAX: Final = 16
SCHEDULED_GAS_MIN: Final = 20_000
PLACE_MS_PER_GAS: Final = 10_000
STORAGE_WRITES_PER_TRANSACTION_MAX: Final = 4096
NEEDLE_SIZE_BYTES_MAX: Final = 64
MESSAGE_LENGTH_MAX: Final = 256
