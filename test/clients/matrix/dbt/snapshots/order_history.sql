{% snapshot order_history %}
{{ config(target_schema='dbt_matrix', unique_key='id', strategy='check', check_cols=['amount']) }}
select * from {{ ref('raw_orders') }}
{% endsnapshot %}
