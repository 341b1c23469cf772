select id, customer, amount::numeric(8, 2) as amount, placed::date as placed from {{ ref('raw_orders') }}
