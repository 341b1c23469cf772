{{ config(materialized='incremental', unique_key='placed') }}
select placed, sum(amount) as total from {{ ref('orders') }}
{% if is_incremental() %} where placed >= (select max(placed) from {{ this }}) {% endif %}
group by placed
